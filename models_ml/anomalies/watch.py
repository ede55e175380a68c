"""The anomalies of many daily metrics at once, as a table: what the warehouse keeps."""

from __future__ import annotations

import polars as pl

from models_ml.anomalies.detect import judge
from models_ml.anomalies.judgment import Detector
from models_ml.anomalies.seasonal import ALERT
from models_ml.series import WEEK, DailySeries

SERIES = ("metric_id", "breakdown", "breakdown_key")
MISSING_DATA = "missing_data"
"""Rule and kind of a day without a value after a week in which every day had one."""

CHANCE = 0.5
"""Standard deviation of the root of a count that nothing but chance moves (Poisson; Anscombe 1948)."""

_SCHEMA = {
    **dict.fromkeys(SERIES, pl.String),
    "event_date": pl.Date,
    "rule": pl.String,
    "kind": pl.String,
    "judged": pl.String,
    "actual": pl.Float64,
    "expected": pl.Float64,
    "deviation_percent": pl.Float64,
    "score": pl.Float64,
}


def find_anomalies(days: pl.DataFrame) -> pl.DataFrame:
    """Every anomaly of the judged days by every detector, and the days that lack their value.

    ``days`` has one row per day of each series, without gaps: ``metric_id, breakdown, breakdown_key, event_date``,
    ``value`` (at least 0; null where there is none), ``is_count`` and ``is_judged`` (the other days are there as
    history). Returns the same keys with ``rule``, ``kind``, ``judged``, ``actual``, ``expected``,
    ``deviation_percent`` and ``score``, as :func:`frame_of` has them.

    Days without a value are in no baseline. A ratio is judged by days alone, for ratios of days don't sum to a week's; a
    count's seasonal residual is measured by chance at least, lest one event more or less stand out among regular ones.
    Weeks overlap: of those that follow each other out of the ordinary the first is the anomaly.
    Raises ValueError as the detectors do.
    """
    if days.is_empty():
        return pl.DataFrame(schema=_SCHEMA)
    ordered = days.sort(*SERIES, "event_date").with_columns(series=pl.struct(SERIES).rle_id().cast(pl.String))
    found = _out_of_the_ordinary(ordered), _missing(ordered)
    return pl.concat(each.select(*_SCHEMA) for each in found).sort(*SERIES, "event_date", "rule")


def _out_of_the_ordinary(days: pl.DataFrame) -> pl.DataFrame:
    """The judged days, or weeks that end with them, that a detector finds unlike those before."""
    values = days["value"].fill_null(0).cast(pl.Float64).to_numpy()
    spans = (
        days.with_row_index()
        .group_by("series", maintain_order=True)
        .agg(pl.col("index", "event_date").first(), pl.len())
    )
    series = {
        name: DailySeries(first_day, values[start : start + length])
        for name, start, first_day, length in spans.iter_rows()
    }
    unknown = days.filter(pl.col("value").is_null()).group_by("series").agg("event_date")
    facts = days.select(
        "series", *SERIES, "is_count", "is_judged", date="event_date", known=pl.col("value").is_not_null()
    )
    judged = judge(series, dict(unknown.iter_rows())).join(facts, on=["series", "date"], maintain_order="left")
    alerts = _measured_by_chance(judged).filter("is_anomaly", pl.col("is_count") | (pl.col("judged") == "day"))
    is_next_day = pl.col("date").diff().over("series", "detector", "judged", "kind").dt.total_days() == 1
    return (
        alerts.filter(~((pl.col("judged") == "week") & is_next_day).fill_null(False))
        .filter("is_judged", "known")
        .rename({"date": "event_date", "detector": "rule", "value": "actual"})
    )


def _measured_by_chance(judged: pl.DataFrame) -> pl.DataFrame:
    """The judgments with no seasonal residual of a count measured by less than chance."""
    by_chance = (pl.col("value").sqrt() - pl.col("expected").sqrt()) / CHANCE
    is_tight = (
        pl.col("is_count")
        & (pl.col("detector") == str(Detector.SEASONAL_RESIDUAL))
        & (by_chance.abs() < pl.col("score").abs())
    )
    return judged.with_columns(
        score=pl.when(is_tight).then(by_chance).otherwise("score"),
        is_anomaly=pl.col("is_anomaly") & ~(is_tight & (by_chance.abs() < ALERT)).fill_null(False),
    )


def _missing(days: pl.DataFrame) -> pl.DataFrame:
    """The judged days without a value after a week in which every day had one."""
    before = pl.col("value").cast(pl.Float64).shift()
    return (
        days.with_columns(
            full_week=(before.is_not_null().cast(pl.Int64).rolling_sum(WEEK) == WEEK).over("series"),
            expected=before.rolling_median(WEEK).over("series"),
        )
        .filter("is_judged", "full_week", pl.col("value").is_null())
        .with_columns(
            pl.lit(MISSING_DATA).alias("rule"),
            pl.lit(MISSING_DATA).alias("kind"),
            pl.lit("day").alias("judged"),
            *(pl.lit(None, pl.Float64).alias(name) for name in ("actual", "deviation_percent", "score")),
        )
    )
