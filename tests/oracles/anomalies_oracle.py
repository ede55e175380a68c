"""An independent reading of the anomalies: which series are watched, what they hold, and how grave what is found is.

The detectors have oracles of their own (tests/models/anomalies); here they are given the series of this module.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from models_ml.anomalies import judge
from models_ml.series import DailySeries
from pipelines.lake.connection import Lake
from tests.oracles.comparison import equal
from tests.oracles.ingestion_oracle import StoredEvent
from tests.oracles.metrics_oracle import Key, MetricValue
from tests.oracles.references import References

CAMPAIGN_METRICS = {"impressions", "ctr", "cpc", "open_rate"}
UNWATCHED = {"budget_utilization", "data_freshness_minutes"}
"""Spend to date only grows, and lag has targets of its own."""

ONE = timedelta(days=1)
Series = tuple[str, str, str]
Found = dict[tuple[Series, date, str], tuple[float | None, float | None, str]]
"""By series, day and rule: what was seen, what was expected, and the severity."""


def anomalies_of(
    values: Mapping[Key, MetricValue], events: Iterator[StoredEvent] | Any, references: References, as_of: datetime
) -> Found:
    """What must be found, of the oracle's daily values and events."""
    today = as_of.date()
    volumes = _volumes(events)
    found: Found = {}
    for series, known in {**_metrics(values), **volumes}.items():
        is_count = series[0] in ("impressions", "events")
        recent = {day: value for day, value in known.items() if today - 156 * ONE <= day < today}
        last = _last_day(series, recent, references, today) if recent else None
        if last is None or last < today - 30 * ONE:
            continue
        days = [min(recent) + number * ONE for number in range((last - min(recent)).days + 1)]
        filled = {day: recent.get(day, 0.0 if is_count else None) for day in days}
        for day, rule, actual, expected, score in _judged(filled, is_count=is_count):
            if day >= today - 30 * ONE:
                grave = rule == "seasonal_residual" and abs(score or 0) >= 6
                relied = rule in ("seasonal_residual", "missing_data")
                severity = "critical" if grave else "warning" if relied else "info"
                found[series, day, rule] = actual, expected, severity
    series = ("events", "event_type", "all")
    for number in range(1, 31):
        day = today - number * ONE
        earlier = [
            volumes[series][day - weeks * 7 * ONE] for weeks in range(1, 5) if day - weeks * 7 * ONE in volumes[series]
        ]
        if earlier and day in volumes[series] and volumes[series][day] < 0.9 * statistics.median(earlier):
            found[series, day, "missing_data"] = volumes[series][day], statistics.median(earlier), "warning"
    return found


def _metrics(values: Mapping[Key, MetricValue]) -> dict[Series, dict[date, float]]:
    found: dict[Series, dict[date, float]] = defaultdict(dict)
    for (metric, breakdown, group, kind, _, day), row in values.items():
        watched = breakdown == "overall" or (breakdown == "campaign" and metric in CAMPAIGN_METRICS)
        is_known = row.value is not None and (row.value > 0 or metric != "impressions")
        if kind == "daily" and watched and metric not in UNWATCHED and is_known:
            found[metric, breakdown, group][day] = row.value
    return found


def _volumes(events: Iterator[StoredEvent] | Any) -> dict[Series, dict[date, float]]:
    found: dict[Series, dict[date, float]] = defaultdict(lambda: defaultdict(float))
    for event in events:
        for event_type in {"all", event.event_type} - {"anomaly_detected"}:
            found["events", "event_type", event_type][event.timestamp.date()] += 1
    return found


def _last_day(series: Series, known: Mapping[date, float], references: References, today: date) -> date:
    yesterday = today - ONE
    if series[1] != "campaign":
        return yesterday
    campaign = references.campaigns.get(series[2])
    if campaign is None or campaign.status != "active":
        return max(known)
    return max(*known, min(campaign.end_date or yesterday, yesterday))


def _judged(
    days: Mapping[date, float | None], *, is_count: bool
) -> Iterator[tuple[date, str, float | None, float | None, float | None]]:
    numbers = np.array([value or 0.0 for value in days.values()], dtype=np.float64)
    absent = [day for day, value in days.items() if value is None]
    rows = judge({"": DailySeries(min(days), numbers)}, {"": absent}).to_dicts()
    before: tuple[date, str, str] | None = None
    for row in rows:
        if not row["is_anomaly"] or row["date"] in absent or (row["judged"] == "week" and not is_count):
            continue
        score = row["score"]
        if is_count and row["detector"] == "seasonal_residual":
            by_chance = 2 * (math.sqrt(row["value"]) - math.sqrt(row["expected"]))
            score = min(score, by_chance, key=abs)
            if abs(score) < 3:
                continue
        spell = (row["date"] - ONE, row["detector"], row["kind"])
        lasts = row["judged"] == "week" and before == spell
        before = (row["date"], row["detector"], row["kind"]) if row["judged"] == "week" else None
        if not lasts:
            yield row["date"], row["detector"], row["value"], row["expected"], score
    for day in absent:
        week = [days.get(day - number * ONE) for number in range(1, 8)]
        known = [value for value in week if value is not None]
        if len(known) == 7:
            yield day, "missing_data", None, statistics.median(known), None


def anomaly_discrepancies(lake: Lake, expected: Found) -> list[str]:
    """What the mart says otherwise, one line each."""
    with lake.reader() as connection:
        rows = connection.execute("from lake.marts.anomalies").pl().to_dicts()
    shown: Found = {
        ((row["metric_id"], row["breakdown"], row["breakdown_key"]), row["event_date"], row["rule"]): (
            row["actual"],
            row["expected"],
            row["severity"],
        )
        for row in rows
    }
    assert len(shown) == len(rows) == pl.Series([row["anomaly_id"] for row in rows]).cast(pl.String).n_unique()
    found = []
    for key in sorted({*shown, *expected}, key=str):
        ours, theirs = shown.get(key), expected.get(key)
        if ours is None or theirs is None or not all(map(equal, ours, theirs)):
            found.append(f"anomaly {key}: shown {ours}, expected {theirs}")
    return found
