"""An independent reading of how far each metric value can be trusted: how complete its days are, and how narrow its interval.

Specification 02-metrics.md, "Rules for all of them". Shares have Wald's interval; measured effects have their own, of which the
difference of the arms is recomputed by statsmodels.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime
from typing import Any

from statsmodels.stats.proportion import confint_proportions_2indep

from pipelines.lake.connection import Lake
from tests.oracles.comparison import equal
from tests.oracles.freshness_oracle import Day, days_of
from tests.oracles.ingestion_oracle import StoredEvent

SHARES = {"ctr", "conversion_rate", "open_rate", "click_rate", "repeat_purchase_rate", "cohort_retention"}
EFFECTS = ("incrementality_percent", "holdout_lift_pp", "net_incremental_revenue")
OF_THEIR_OWN = ("uptime_percent", "cost_per_query", "model_auc")
"""Metrics that are not counted in events, or whose interval comes from a file: they have tests of their own."""

Group = tuple[str, str, str, str, date]
"""Metric, breakdown, key, window label, last day."""


def trust_discrepancies(lake: Lake, events: Collection[StoredEvent], as_of: datetime) -> list[str]:
    """Values whose completeness or confidence is another than these, and intervals that statsmodels has otherwise."""
    days = {day: each for (event_type, day), each in days_of(events, as_of).items() if event_type == "all"}
    with lake.reader() as connection:
        values = connection.execute(
            f"""
            select metric_id, breakdown, breakdown_key, window_label, period_end, period_start, value, numerator, denominator,
                completeness_percent, is_incomplete, confidence_percent
            from lake.marts.metric_values where metric_id not in {OF_THEIR_OWN}
            """
        ).fetchall()
        effects = connection.execute(
            f"""
            select breakdown, breakdown_key, window_label, period_end,
                treatment_converted, treatment_users, holdout_converted, holdout_users,
                {", ".join(f"{name}_low, {name}_high" for name in EFFECTS)}
            from lake.marts.incrementality
            """
        ).fetchall()
    return [*_untrusted(values, days, dict(_half_widths(effects))), *_otherwise_in_statsmodels(effects)]


def _half_widths(effects: Collection[tuple[Any, ...]]) -> Iterator[tuple[Group, float]]:
    for *group, _, _, _, _, a_low, a_high, b_low, b_high, c_low, c_high in effects:
        for name, low, high in zip(EFFECTS, (a_low, b_low, c_low), (a_high, b_high, c_high), strict=True):
            if low is not None:
                breakdown, key, label, end = group
                yield (name, breakdown, key, label, end), (high - low) / 2


def _otherwise_in_statsmodels(effects: Collection[tuple[Any, ...]]) -> Iterator[str]:
    for *group, bought, treated, anyway, held, _, _, low, high, _, _ in effects:
        if low is not None:
            theirs = confint_proportions_2indep(bought, treated, anyway, held, method="newcomb", compare="diff")
            if not all(equal(ours, 100 * float(limit)) for ours, limit in zip((low, high), theirs, strict=True)):
                yield f"interval of the lift {group}: shown {low} to {high}, expected {theirs}"


def _untrusted(
    values: Collection[tuple[Any, ...]], days: Mapping[date, Day], half_widths: Mapping[Group, float]
) -> Iterator[str]:
    complete: dict[tuple[date, date], float | None] = {}
    for *group, start, value, numerator, denominator, completeness, is_incomplete, confidence in values:
        metric, breakdown, key, label, end = group
        if (start, end) not in complete:
            complete[start, end] = _completeness(days, start, end)
        theirs = complete[start, end]
        if not equal(completeness, theirs) or is_incomplete != (theirs is not None and theirs < 90):
            yield f"completeness {group}: shown {completeness} ({is_incomplete}), expected {theirs}"
        half_width = half_widths.get((metric, breakdown, key, label, end))
        if metric in SHARES and value and numerator <= denominator:
            share = numerator / denominator
            half_width = 196 * math.sqrt(share * (1 - share) / denominator)
        precision = None if half_width is None else 100 * (1 - half_width / abs(value)) if value else 0.0
        known = [each for each in (theirs, precision) if each is not None]
        expected = max(0.0, min(known)) if known else None
        if not equal(confidence, expected):
            yield f"confidence {group}: shown {confidence}, expected {expected}"


def _completeness(days: Mapping[date, Day], start: date, end: date) -> float | None:
    """What the days have brought of what was expected of them, no day counting for more than all of it."""
    known = [(each.events, each.expected) for day, each in days.items() if start <= day <= end]
    received = [(min(events, expected), expected) for events, expected in known if expected is not None]
    return 100 * sum(each for each, _ in received) / sum(each for _, each in received) if received else None
