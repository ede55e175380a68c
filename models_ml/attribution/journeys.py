"""Which touches belong to which journey: those in a conversion's window, and stretches of time without a conversion."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import polars as pl

from models_ml.attribution.arrays import Flags, Floats, Integers, coded
from models_ml.attribution.frames import require_columns, require_rows
from models_ml.attribution.rules import PathRules


@dataclass(frozen=True)
class Steps:
    """The touches of journeys, journey after journey in the order of time; ``row`` points into the stream of touches.

    ``channel`` is a position in the journeys' channels, ``age`` the microseconds up to the conversion, 0 without one.
    """

    journey: Integers
    channel: Integers
    age: Floats
    row: Integers

    def keep(self, flags: Flags) -> Steps:
        """Those whose flag is set."""
        return Steps(self.journey[flags], self.channel[flags], self.age[flags], self.row[flags])


@dataclass(frozen=True, eq=False)
class Journeys:
    """Journeys and their ``steps``; ``converts`` and ``revenue`` have one entry per journey.

    ``stream``: the touches that count, by user and time. ``unattributed``: the revenue of each conversion without a touch.
    """

    channels: tuple[str, ...]
    steps: Steps
    converts: Flags
    revenue: Floats
    stream: pl.DataFrame
    unattributed: Floats

    def __len__(self) -> int:
        """The number of journeys."""
        return len(self.converts)


def find_journeys(touches: pl.DataFrame, conversions: pl.DataFrame, rules: PathRules) -> Journeys:
    """One journey per conversion with a touch in its window, and those of touches that are in no window.

    Arguments and errors as for ``collect_paths``.
    """
    stream, ends = _touch_stream(touches, rules), _conversions(conversions)
    lookback = rules.lookback // timedelta(microseconds=1)
    first, last = _window(stream, ends, lookback)
    has_touch = first <= last
    lengths = np.where(has_touch, last - first + 1, 0)
    claimed = _ranges(first[has_touch], lengths[has_touch])
    free = _unclaimed(stream, claimed, lookback)
    converting = int(has_touch.sum())
    rows = np.concatenate([claimed, free.row])
    at = stream["at"].to_numpy()
    channels, codes = coded(stream["channel"])
    revenue = ends["revenue"].to_numpy()
    return Journeys(
        channels=channels,
        steps=Steps(
            journey=np.concatenate([np.repeat(np.arange(converting), lengths[has_touch]), converting + free.journey]),
            channel=codes[rows],
            age=np.concatenate([np.repeat(ends["at"].to_numpy(), lengths) - at[claimed], np.zeros(len(free.row))]),
            row=rows,
        ),
        converts=np.arange(converting + free.journeys) < converting,
        revenue=np.concatenate([revenue[has_touch], np.zeros(free.journeys)]),
        stream=stream,
        unattributed=revenue[~has_touch],
    )


@dataclass(frozen=True)
class _Unclaimed:
    row: Integers
    journey: Integers
    journeys: int


def _touch_stream(touches: pl.DataFrame, rules: PathRules) -> pl.DataFrame:
    needed = ["touch_id", "user_id", "occurred_at", "kind", rules.level, *["session_id"] * rules.one_per_session]
    require_columns("touches", touches, needed)
    counted = touches.filter(pl.col("kind").is_in(list(rules.kinds)))
    require_rows("touches", counted, "touch_id", ("user_id", "occurred_at", rules.level))
    channel = pl.col(rules.level).cast(pl.String).alias("channel")
    session = ["session_id"] * rules.one_per_session
    chosen = counted.select("user_id", "touch_id", channel, *session, _microseconds("touches", counted))
    return chosen.sort("user_id", "at", "touch_id")


def _conversions(conversions: pl.DataFrame) -> pl.DataFrame:
    require_columns("conversions", conversions, ("conversion_id", "user_id", "occurred_at", "revenue"))
    require_rows("conversions", conversions, "conversion_id", ("user_id", "occurred_at", "revenue"))
    revenue = conversions["revenue"].cast(pl.Float64)
    bad = revenue.filter(~(revenue.is_finite() & (revenue >= 0)))
    if len(bad):
        raise ValueError(f"conversions has a revenue of {bad[0]}; it must be finite and at least 0.")
    chosen = conversions.select("user_id", revenue, "conversion_id", _microseconds("conversions", conversions))
    return chosen.sort("user_id", "at", "conversion_id")


def _microseconds(name: str, frame: pl.DataFrame) -> pl.Series:
    if not isinstance(frame.schema["occurred_at"], pl.Datetime):
        raise ValueError(f"{name} has occurred_at of the type {frame.schema['occurred_at']}; it must be a datetime.")
    return frame["occurred_at"].dt.epoch("us").alias("at")


def _window(stream: pl.DataFrame, ends: pl.DataFrame, lookback: int) -> tuple[Integers, Integers]:
    """First and last row of the stream in each conversion's window; last before first where there is none."""
    touches = stream.select("user_id", "at").with_row_index("row")
    opened = ends.select("user_id", pl.col("at") - lookback)
    first = opened.join_asof(touches, on="at", by="user_id", strategy="forward", check_sortedness=False)["row"]
    last = ends.join_asof(touches, on="at", by="user_id", strategy="backward", check_sortedness=False)["row"]
    return first.cast(pl.Int64).fill_null(len(touches)).to_numpy(), last.cast(pl.Int64).fill_null(-1).to_numpy()


def _unclaimed(stream: pl.DataFrame, claimed: Integers, lookback: int) -> _Unclaimed:
    # No such path reaches across a conversion: the touch before it lies more than a look-back window before it.
    is_free = np.ones(len(stream), dtype=np.bool_)
    is_free[claimed] = False
    row = np.flatnonzero(is_free)
    spans = (pl.col("at") - pl.col("at").first().over("user_id")) // lookback
    journey = stream[row].select((pl.struct("user_id", spans).rle_id()).cast(pl.Int64).alias("journey"))["journey"]
    return _Unclaimed(row, journey.to_numpy(), int(journey.n_unique()))


def _ranges(first: Integers, lengths: Integers) -> Integers:
    """The numbers ``first[i] … first[i] + lengths[i] - 1`` of all ``i``, one after the other."""
    before = np.cumsum(lengths) - lengths
    return np.repeat(first - before, lengths) + np.arange(int(lengths.sum()))
