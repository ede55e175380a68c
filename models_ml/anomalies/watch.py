"""The anomalies of many daily metrics at once, as a table: what the warehouse keeps."""

from __future__ import annotations

from collections.abc import Iterator

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
    ``deviation_percent`` and ``score``, as :meth:`Judgment.to_frame` has them.

    Days without a value are in no baseline. A ratio is judged by days alone, for ratios of days don't sum to a week's; a
    count's seasonal residual is measured by chance at least, lest one event more or less stand out among regular ones.
    Weeks overlap: of those that follow each other out of the ordinary the first is the anomaly.
    Raises ValueError as the detectors do.
    """
    found = [rows for series in days.partition_by(*SERIES) for rows in _of_one(series.sort("event_date"))]
    return pl.concat([pl.DataFrame(schema=_SCHEMA), *found]).sort(*SERIES, "event_date", "rule")


def _of_one(series: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """What is out of the ordinary in one series."""
    keys = [pl.lit(series[name][0]).alias(name) for name in SERIES]
    unknown = series.filter(pl.col("value").is_null())["event_date"]
    watched = series.filter(pl.col("is_judged"), pl.col("value").is_not_null())["event_date"]
    values = series["value"].fill_null(0).cast(pl.Float64).to_numpy()
    judged = judge({"": DailySeries(series["event_date"][0], values)}, {"": unknown.to_list()})
    alerts = _beyond_chance(judged) if series["is_count"][0] else judged.filter(pl.col("judged") == "day")
    lasting = (pl.col("judged") == "week") & (
        pl.col("date").diff().over("detector", "judged", "kind").dt.total_days() == 1
    )
    yield (
        alerts.filter("is_anomaly")
        .filter(~lasting.fill_null(False))
        .filter(pl.col("date").is_in(watched.to_list()))
        .select(
            *keys,
            pl.col("date").alias("event_date"),
            pl.col("detector").alias("rule"),
            "kind",
            "judged",
            pl.col("value").alias("actual"),
            "expected",
            "deviation_percent",
            "score",
        )
    )
    before = pl.col("value").shift()
    missing = series.with_columns(
        known=before.is_not_null().cast(pl.Int64).rolling_sum(WEEK), expected=before.rolling_median(WEEK)
    ).filter(pl.col("value").is_null(), pl.col("known") == WEEK, pl.col("is_judged"))
    texts = {"rule": MISSING_DATA, "kind": MISSING_DATA, "judged": "day"}
    unknowns = ("actual", "deviation_percent", "score")
    yield missing.with_columns(
        *(pl.lit(text).alias(name) for name, text in texts.items()),
        *(pl.lit(None, pl.Float64).alias(name) for name in unknowns),
    ).select(*_SCHEMA)


def _beyond_chance(judged: pl.DataFrame) -> pl.DataFrame:
    """The judgments of a count, with no seasonal residual measured by less than chance."""
    residual = pl.col("value").sqrt() - pl.col("expected").sqrt()
    by_chance = residual / CHANCE
    is_tight = (pl.col("detector") == str(Detector.SEASONAL_RESIDUAL)) & (by_chance.abs() < pl.col("score").abs())
    return judged.with_columns(
        score=pl.when(is_tight).then(by_chance).otherwise("score"),
        is_anomaly=pl.col("is_anomaly") & ~(is_tight & (by_chance.abs() < ALERT)).fill_null(False),
    )
