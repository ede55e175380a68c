"""An independent reading of attributed revenue (metric 21) from the raw events, journey by journey.

Journeys and the models by place or age stand here in plain Python. Markov and Shapley have oracles of their own
(tests/models/attribution); here they are given the journeys of this module.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from models_ml.attribution import Credit, Model, Paths, attribute
from pipelines.lake.connection import Lake
from tests.oracles.comparison import discrepancies, values_in
from tests.oracles.facts import campaign_of, touches_and_orders
from tests.oracles.ingestion_oracle import StoredEvent
from tests.oracles.metrics_oracle import Key, MetricValue, windows
from tests.oracles.references import References

BREAKDOWNS = ("overall", "campaign", "segment", "creative", "platform", "campaign_type")
RULE_BASED = ("first_touch", "last_touch", "linear", "position", "time_decay")
DATA_DRIVEN = ("markov", "shapley")
HALF_LIFE = timedelta(days=7)
CENT = 0.0001
"""What rounding may move per order and group."""

Touch = tuple[StoredEvent, Mapping[str, str]]
CreditKey = tuple[str, str, str, str]
"""Window label, breakdown, group, model."""


@dataclass(frozen=True)
class Journey:
    """A way to an order, or to none; ``amount`` is None without an order and where its currency has no rate."""

    day: date
    touches: tuple[Touch, ...]
    order: StoredEvent | None = None
    amount: Decimal | None = None


def journeys_of(events: Iterable[StoredEvent], references: References, lookback: timedelta) -> list[Journey]:
    """Every order with the touches in its look-back, and what touches no order claims, cut into spans as long."""
    touches, orders = touches_and_orders(events, references)
    by_user: dict[str, list[Touch]] = defaultdict(list)
    for touch in in_order(touches):
        by_user[touch[0].user_id].append(touch)
    found, claimed = [], set()
    for order, amount in orders:
        near = [
            touch
            for touch in by_user[order.user_id]
            if timedelta(0) <= order.timestamp - touch[0].timestamp <= lookback
        ]
        claimed |= {touch[0].event_id for touch in near}
        found.append(Journey(order.timestamp.date(), tuple(near), order, amount))
    for steps in by_user.values():
        free = [touch for touch in steps if touch[0].event_id not in claimed]
        spans: dict[int, list[Touch]] = defaultdict(list)
        for touch in free:
            spans[(touch[0].timestamp - free[0][0].timestamp) // lookback].append(touch)
        found += [Journey(span[-1][0].timestamp.date(), tuple(span)) for span in spans.values()]
    return found


def in_order(touches: Iterable[Touch]) -> list[Touch]:
    """By time; at one instant clicks come last, then smaller campaigns, then smaller events."""
    backward = sorted(touches, key=lambda touch: (campaign_of(touch[0]), touch[0].event_id), reverse=True)
    return sorted(backward, key=lambda touch: (touch[0].timestamp, touch[0].event_type == "campaign_clicked"))


def shares(model: str, journey: Journey) -> list[float]:
    """What each touch of a journey with an order is due of it."""
    count, order = len(journey.touches), journey.order
    assert order is not None
    ages = [(order.timestamp - touch.timestamp) / HALF_LIFE for touch, _ in journey.touches]
    weights = [0.5 ** (age - min(ages)) for age in ages]
    return {
        "first_touch": [1.0] + [0.0] * (count - 1),
        "last_touch": [0.0] * (count - 1) + [1.0],
        "linear": [1 / count] * count,
        "position": {1: [1.0], 2: [0.5, 0.5]}.get(count, [0.4, *[0.2 / max(1, count - 2)] * (count - 2), 0.4]),
        "time_decay": [weight / sum(weights) for weight in weights],
    }[model]


def credits_of(journeys: Sequence[Journey], as_of: datetime) -> dict[CreditKey, tuple[float, float | None]]:
    """Orders and revenue credited to each group by each model, in each window; no revenue where a rate is missing."""
    found: dict[CreditKey, tuple[float, float | None]] = {}
    for window in windows(as_of):
        inside = [journey for journey in journeys if journey.day in window]
        for breakdown in BREAKDOWNS:
            for group, model, orders, revenue in [*_by_rules(inside, breakdown), *_by_models(inside, breakdown)]:
                found[window.label, breakdown, group, model] = orders, revenue
    return found


def _daily_credits_of(journeys: Sequence[Journey], as_of: datetime) -> dict[CreditKey, tuple[float, float | None]]:
    """The same of each day's orders, by the models of place and age; for a window's label it has the day."""
    days: dict[date, list[Journey]] = defaultdict(list)
    for journey in journeys:
        if journey.order is not None and journey.day <= as_of.date():
            days[journey.day].append(journey)
    return {
        (str(day), breakdown, group, model): (orders, revenue)
        for day, own in days.items()
        for breakdown in BREAKDOWNS
        for group, model, orders, revenue in _by_rules(own, breakdown)
        if model in RULE_BASED
    }


def _published_by_day(lake: Lake, as_of: datetime) -> dict[CreditKey, tuple[float, Decimal | None]]:
    with lake.reader() as connection:
        rows = connection.execute("from lake.marts.attribution_revenue_daily").pl().to_dicts()
    return {
        (str(row["event_date"]), row["breakdown"], row["breakdown_key"], model): (
            row[f"{model}_orders"],
            row[f"{model}_revenue"],
        )
        for row in rows
        if row["event_date"] <= as_of.date()
        for model in RULE_BASED
    }


_Credits = Iterator[tuple[str, str, float, float | None]]


def _by_rules(journeys: Sequence[Journey], breakdown: str) -> _Credits:
    sums: dict[tuple[str, str], list[tuple[float, Decimal | None]]] = defaultdict(list)
    untouched = [(1.0, each.amount) for each in journeys if each.order is not None and not each.touches]
    for journey in journeys:
        if journey.order is not None and journey.touches:
            for model in RULE_BASED:
                for share, (_, groups) in zip(shares(model, journey), journey.touches, strict=True):
                    sums[groups[breakdown], model].append((share, journey.amount))
    for (group, model), parts in sums.items():
        yield group, model, *_sum(parts)
    if untouched:
        whole = _sum(untouched)
        for model in RULE_BASED + DATA_DRIVEN:
            yield "unattributed", model, *whole


def _sum(parts: Sequence[tuple[float, Decimal | None]]) -> tuple[float, float | None]:
    """Orders, and revenue unless an amount is unknown."""
    known = [share * float(amount) for share, amount in parts if amount is not None]
    return sum(share for share, _ in parts), sum(known) if len(known) == len(parts) else None


def _by_models(journeys: Sequence[Journey], breakdown: str) -> _Credits:
    rows = [
        {
            "path": [groups[breakdown] for _, groups in journey.touches],
            "conversions": float(journey.order is not None),
            "revenue": float(journey.amount or 0),
            "unconverted": float(journey.order is None),
        }
        for journey in journeys
        if journey.touches
    ]
    if not rows:
        return
    is_known = all(journey.amount is not None for journey in journeys if journey.order is not None and journey.touches)
    for model, credit in attribute(Paths.from_frame(pl.DataFrame(rows)), (Model.MARKOV, Model.SHAPLEY)).credits.items():
        if isinstance(credit, Credit):
            for row in credit.to_frame().to_dicts():
                yield row["channel"], str(model), row["conversions"], row["revenue"] if is_known else None


def attribution_discrepancies(
    lake: Lake, events: Iterable[StoredEvent], references: References, as_of: datetime, lookback: timedelta
) -> list[str]:
    """What the mart says otherwise than this module, one line each, and what it does not give away to the cent."""
    journeys = journeys_of(events, references, lookback)
    expected = credits_of(journeys, as_of)
    with lake.reader() as connection:
        rows = connection.execute("from lake.marts.attribution_revenue").pl().to_dicts()
    published = {
        (row["window_label"], row["breakdown"], row["breakdown_key"], model): (
            row[f"{model}_orders"],
            row[f"{model}_revenue"],
        )
        for row in rows
        for model in RULE_BASED + DATA_DRIVEN
    }
    slack = CENT * (1 + sum(len(journey.touches) for journey in journeys))
    expected |= _daily_credits_of(journeys, as_of)
    published |= _published_by_day(lake, as_of)
    found = []
    for key in sorted({*expected, *published}):
        ours, theirs = published.get(key), expected.get(key)
        if not _agree(ours or (0.0, Decimal(0)), theirs or (0.0, 0.0), slack) and not (
            theirs is None and ours == (None, None)
        ):
            found.append(f"attributed {' '.join(key)}: published {ours}, expected {theirs}")
    return [*found, *_not_conserved(rows, journeys, as_of), *_wrong_spreads(lake, rows, as_of)]


def _wrong_spreads(lake: Lake, windows: Iterable[Mapping[str, Any]], as_of: datetime) -> list[str]:
    """What the long table says otherwise of metric 21: how far apart the models are that are known, beside their mean."""
    with lake.reader() as connection:
        days = connection.execute("from lake.marts.attribution_revenue_daily").pl().to_dicts()
    expected = {}
    for kind, models, rows in (("window", RULE_BASED + DATA_DRIVEN, windows), ("daily", RULE_BASED, days)):
        for row in rows:
            if row["breakdown_key"] != "unattributed":
                known = [float(row[f"{model}_revenue"]) for model in models if row[f"{model}_revenue"] is not None]
                period = row.get("window_label", "day"), row.get("period_end", row.get("event_date"))
                key: Key = "attributed_revenue", row["breakdown"], row["breakdown_key"], kind, *period
                expected[key] = _spread(known)
    return discrepancies(values_in(lake, "marts.metric_values"), expected, until=as_of.date())


def _spread(known: Sequence[float]) -> MetricValue:
    if not known:
        return MetricValue(None, null_reason="missing_rate")
    apart, mean = max(known) - min(known), sum(known) / len(known)
    return MetricValue(100 * apart / mean, apart, mean) if mean else MetricValue(None, null_reason="zero_denominator")


def _agree(ours: tuple[float | None, Decimal | None], theirs: tuple[float, float | None], slack: float) -> bool:
    (orders, revenue), (due, amount) = ours, theirs
    if orders is None or abs(orders - due) > 1e-9 * max(1.0, abs(due)):
        return False
    return revenue is amount if revenue is None or amount is None else abs(float(revenue) - amount) <= slack


def _not_conserved(rows: Iterable[Mapping[str, object]], journeys: Sequence[Journey], as_of: datetime) -> Iterator[str]:
    """Every order is credited exactly once, and to its revenue, in every breakdown, window and model."""
    sums: dict[tuple[str, str, str], list[tuple[float | None, Decimal | None]]] = defaultdict(list)
    for row in rows:
        for model in RULE_BASED + DATA_DRIVEN:
            credit = row[f"{model}_orders"], row[f"{model}_revenue"]
            sums[str(row["window_label"]), str(row["breakdown"]), model].append(credit)  # type: ignore[arg-type]
    for window in windows(as_of):
        inside = [journey for journey in journeys if journey.order is not None and journey.day in window]
        for (label, breakdown, model), parts in sums.items():
            if label == window.label:
                orders = sum(part[0] or 0 for part in parts)
                amounts = [journey.amount for journey in inside]
                total, due = sum(part[1] or 0 for part in parts), sum(amount or 0 for amount in amounts)
                if abs(orders - len(inside)) > 1e-9 * max(1, len(inside)) and any(part[0] for part in parts):
                    yield f"{model} credits {orders} of {len(inside)} orders: {label} {breakdown}"
                if None not in amounts and total != due:
                    yield f"{model} credits {total} of {due}: {label} {breakdown}"
