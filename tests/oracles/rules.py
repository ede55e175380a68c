"""What every row of ``metric_values`` must fulfill by itself and beside its neighbors, whatever the world."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pipelines.lake.connection import Lake
from tests.golden.metrics_table import SPECIFIED
from tests.oracles.metrics_oracle import METRICS

PERCENT = {
    "ctr",
    "conversion_rate",
    "budget_utilization",
    "open_rate",
    "click_rate",
    "incrementality_percent",
    "holdout_lift_pp",
    "attributed_revenue",
    "repeat_purchase_rate",
    "gross_margin_percent",
    "cohort_retention",
    "uptime_percent",
}
HEALTHY = {metric.metric_id: (metric.healthy_min, metric.healthy_max) for metric in SPECIFIED}
NESTED = ("1d", "7d", "30d", "90d")


def broken_rules(lake: Lake) -> list[str]:
    """Each broken rule with the row that breaks it."""
    with lake.reader() as connection:
        cursor = connection.execute("from lake.marts.metric_values")
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        wide = connection.execute(
            f"select campaign_id::varchar, window_label, {', '.join(METRICS)} from lake.marts.campaign_performance"
        ).fetchall()
        newest = dict(
            connection.execute("select event_type, max(timestamp) from lake.raw.events group by event_type").fetchall()
        )
        sources = dict(connection.execute("select metric_id, sources from lake.marts.metric_dictionary").fetchall())
    found = [f"{rule}: {row}" for row in rows for rule in _broken_by(row)]
    latest = max(row["as_of"] for row in rows)
    found += [
        f"the newest event is of {last}: {row}"
        for row in rows
        for last in [_newest(sources[row["metric_id"]], newest)]
        if not _is_as_fresh(row, last, is_latest=row["as_of"] == latest)
    ]
    values = {(row["metric_id"], row["breakdown_key"], row["window_label"]): row["value"] for row in rows}
    for campaign_id, label, *numbers in wide:
        for metric_id, number in zip(METRICS, numbers, strict=True):
            if number != values[metric_id, campaign_id, label]:
                found.append(f"the wide table says {number}: {metric_id} {campaign_id} {label}")
    return found + list(_not_nested(rows)) + list(_not_additive(rows))


def _broken_by(row: dict[str, Any]) -> Iterator[str]:
    value, low, high = row["value"], *HEALTHY[row["metric_id"]]
    if (value is None) == (row["null_reason"] is None):
        yield "a value or a reason"
    expected = (
        "below" if low is not None and (value or 0) < low else "above" if high and (value or 0) > high else "in_range"
    )
    if row["status"] != (None if value is None else expected):
        yield f"the status is {expected}"
    if value is not None and row["denominator"] is not None:
        ratio = row["numerator"] / row["denominator"] * (100 if row["metric_id"] in PERCENT else 1)
        if abs(value - ratio) > 1e-9 * max(1, abs(ratio)):
            yield "the value is numerator ÷ denominator"
    completeness, confidence = row["completeness_percent"], row["confidence_percent"]
    if row["is_incomplete"] != (completeness is not None and completeness < 90):
        yield "below 90 % is incomplete"
    if completeness is not None and not 0 <= completeness <= 100:
        yield "completeness is 0..100"
    if completeness is not None and confidence is not None and not 0 <= confidence <= completeness:
        yield "confidence is at most completeness"


def _newest(sources: str, newest: dict[str, datetime]) -> datetime | None:
    """The newest of the events that a metric's sources name."""
    types = newest.keys() if sources == "every event" else sources.split("; ")
    return max((newest[name] for name in types if name in newest), default=None)


def _is_as_fresh(row: dict[str, Any], last: datetime | None, *, is_latest: bool) -> bool:
    """Whether the row says how old the newest event was; rows of an earlier run know fewer events."""
    minutes = row["freshness_minutes"]
    if last is None or minutes is None:
        return minutes is None if last is None else not is_latest
    expected = max((row["as_of"] - last).total_seconds() / 60, 0.0)
    return bool(abs(minutes - expected) <= 1e-6 if is_latest else minutes >= expected - 1e-6)


def _not_nested(rows: list[dict[str, Any]]) -> Iterator[str]:
    """A longer window holds what a shorter one does."""
    counts = {
        (row["breakdown"], row["breakdown_key"], row["window_label"]): row["value"]
        for row in rows
        if row["metric_id"] == "impressions"
    }
    for (breakdown, key, label), count in counts.items():
        if label in NESTED[:-1] and count > counts[breakdown, key, NESTED[NESTED.index(label) + 1]]:
            yield f"the window after {label} has fewer impressions: {breakdown} {key}"


def _not_additive(rows: list[dict[str, Any]]) -> Iterator[str]:
    """What campaigns, platforms and types count sums up to the whole."""
    sums: dict[tuple[Any, ...], float] = {}
    for row in rows:
        if row["metric_id"] == "impressions" and row["breakdown"] in (
            "overall",
            "campaign",
            "platform",
            "campaign_type",
        ):
            period = row["breakdown"], row["window_label"], row["period_end"]
            sums[period] = sums.get(period, 0) + row["value"]
    for (breakdown, label, end), total in sums.items():
        if total != sums["overall", label, end]:
            yield f"impressions by {breakdown} don't sum up: {label} {end}"
