"""Journeys as plain lists, strategies that make them, and slow, obvious implementations to hold the fast ones against."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from hypothesis import strategies as st

from models_ml.attribution import Credit, Paths

CHANNELS = ("direct", "email", "search", "social", "video")
Shares = Callable[[Sequence[str]], Sequence[float]]


@dataclass(frozen=True)
class Row:
    """One path with its counts."""

    path: tuple[str, ...]
    conversions: int
    unconverted: int
    revenue: float


def rows(channels: Sequence[str] = CHANNELS, most: int = 12, longest: int = 5) -> st.SearchStrategy[list[Row]]:
    """Some paths of which at least one converts."""
    counts = st.integers(0, 6)

    def row(path: list[str], conversions: int, unconverted: int, value: int) -> Row:
        return Row(tuple(path), conversions, unconverted, float(conversions * value))

    path = st.lists(st.sampled_from(channels), min_size=1, max_size=longest)
    made = st.builds(row, path, counts, counts, st.integers(0, 20))
    return st.lists(made, min_size=1, max_size=most).filter(lambda found: any(each.conversions for each in found))


def frame_of(found: Sequence[Row]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "path": [list(row.path) for row in found],
            "conversions": [float(row.conversions) for row in found],
            "revenue": [row.revenue for row in found],
            "unconverted": [float(row.unconverted) for row in found],
            # Some ages, so that time decay has something to sum: the share of touch i of n is 2^i / Σ.
            "decayed_conversions": [list(row.conversions * doubling(len(row.path))) for row in found],
            "decayed_revenue": [list(row.revenue * doubling(len(row.path))) for row in found],
        },
        schema_overrides={"path": pl.List(pl.String)},
    )


def doubling(length: int) -> np.ndarray:
    weights = np.exp2(np.arange(length) - float(length))
    return weights / weights.sum()


def paths_of(found: Sequence[Row]) -> Paths:
    return Paths.from_frame(frame_of(found))


def by_channel(credit: object, measure: str = "conversions") -> dict[str, float]:
    assert isinstance(credit, Credit), credit
    return dict(zip(credit.channels, getattr(credit, measure).tolist(), strict=True))


def credit_by_shares(found: Sequence[Row], shares: Shares, measure: str) -> dict[str, float]:
    """Rule-based credit, touch by touch."""
    credit: dict[str, float] = defaultdict(float)
    for row in found:
        for channel, share in zip(row.path, shares(row.path), strict=True):
            credit[channel] += share * getattr(row, measure)
    return dict(credit)


class DenseChain:
    """A Markov chain as a dictionary of dictionaries, solved as one dense system after removing a channel."""

    def __init__(self, found: Sequence[Row], order: int, measure: str) -> None:
        counts: dict[tuple[str, ...], Counter[object]] = defaultdict(Counter)
        gains: dict[tuple[str, ...], float] = defaultdict(float)
        for row in found:
            journeys = row.conversions + row.unconverted
            state: tuple[str, ...] = ()
            for channel in row.path:
                counts[state][(*state, channel)[-order:]] += journeys
                state = (*state, channel)[-order:]
            counts[state]["end"] += journeys
            gains[state] += getattr(row, measure)
        self.states = [state for state, steps in counts.items() if sum(steps.values())]
        self.counts, self.gains = counts, gains

    def outcome(self, removed: str | None = None) -> float:
        """What a journey is expected to bring when every state with the channel leads nowhere."""
        kept = [state for state in self.states if removed not in state]
        index = {state: number for number, state in enumerate(kept)}
        matrix, right = np.eye(len(kept)), np.zeros(len(kept))
        for state in kept:
            total = sum(self.counts[state].values())
            right[index[state]] = self.gains[state] / total
            for following, count in self.counts[state].items():
                if following in index:
                    matrix[index[state], index[following]] -= count / total
        return float(np.linalg.solve(matrix, right)[index[()]])


def worth(found: Sequence[Row], coalition: frozenset[str], measure: str) -> float:
    """v(S) = Σ_T n(T)·p(T∩S), read off the definition."""
    journeys: Counter[frozenset[str]] = Counter()
    gains: dict[frozenset[str], float] = defaultdict(float)
    for row in found:
        journeys[frozenset(row.path)] += row.conversions + row.unconverted
        gains[frozenset(row.path)] += getattr(row, measure)

    def rate(channels: frozenset[str]) -> float:
        return gains[channels] / journeys[channels] if journeys[channels] else 0.0

    return sum(count * rate(channels & coalition) for channels, count in list(journeys.items()))


def shapley_by_permutations(found: Sequence[Row], measure: str) -> dict[str, float]:
    """Mean marginal worth of each channel over all orders in which the channels could come together."""
    players = sorted({channel for row in found for channel in row.path})
    worths = {
        frozenset(chosen): worth(found, frozenset(chosen), measure)
        for size in range(len(players) + 1)
        for chosen in itertools.combinations(players, size)
    }
    values: dict[str, float] = dict.fromkeys(players, 0.0)
    orders = list(itertools.permutations(players))
    for order in orders:
        for place, player in enumerate(order):
            values[player] += (worths[frozenset(order[: place + 1])] - worths[frozenset(order[:place])]) / len(orders)
    return values


@dataclass(frozen=True)
class Touch:
    """A touch of a user."""

    touch_id: int
    user_id: str
    occurred_at: datetime
    channel: str
    kind: str
    session_id: str | None


@dataclass(frozen=True)
class Conversion:
    """A conversion of a user."""

    conversion_id: int
    user_id: str
    occurred_at: datetime
    revenue: float


START = datetime(2025, 3, 1, tzinfo=UTC)


def at(days: float = 0, **more: float) -> datetime:
    return START + timedelta(days=days, **more)


TOUCHES_SCHEMA = {
    "touch_id": pl.Int64,
    "user_id": pl.String,
    "occurred_at": pl.Datetime("us", "UTC"),
    "channel": pl.String,
    "kind": pl.String,
    "session_id": pl.String,
}
CONVERSIONS_SCHEMA = {
    "conversion_id": pl.Int64,
    "user_id": pl.String,
    "occurred_at": pl.Datetime("us", "UTC"),
    "revenue": pl.Float64,
}


def touches_frame(touches: Sequence[Touch]) -> pl.DataFrame:
    return pl.DataFrame([vars(each) for each in touches], schema=TOUCHES_SCHEMA)


def conversions_frame(conversions: Sequence[Conversion]) -> pl.DataFrame:
    return pl.DataFrame([vars(each) for each in conversions], schema=CONVERSIONS_SCHEMA)
