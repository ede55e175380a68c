"""The table of anomalies: what detectors say of each series, and what only the table knows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from models_ml.anomalies import find_anomalies, judge
from models_ml.series import DailySeries

FIRST = date(2025, 1, 6)
DAYS, JUDGED = 156, 30


def days_of(values: list[float | None], *, is_count: bool, name: str = "metric") -> pl.DataFrame:
    """A series as the warehouse hands it over; the last thirty days are judged."""
    return pl.DataFrame(
        {
            "metric_id": name,
            "breakdown": "overall",
            "breakdown_key": "all",
            "event_date": [FIRST + timedelta(days=number) for number in range(len(values))],
            "value": pl.Series(values, dtype=pl.Float64),
            "is_count": is_count,
            "is_judged": [number >= len(values) - JUDGED for number in range(len(values))],
        }
    )


def usual(level: float, seed: int = 5) -> list[float | None]:
    return list(np.random.default_rng(seed).poisson(level, DAYS).astype(float))


def rules(found: pl.DataFrame) -> Mapping[tuple[date, str], dict[str, object]]:
    return {(row["event_date"], row["rule"]): row for row in found.to_dicts()}


def test_what_is_found_is_what_the_detectors_say_of_the_judged_days() -> None:
    values = usual(400)
    values[140], values[150], values[100] = 900.0, 0.0, 0.0
    found = find_anomalies(days_of(values, is_count=True))
    series = DailySeries(FIRST, np.array(values, dtype=np.float64))
    expected = judge({"": series}).filter("is_anomaly", pl.col("date") >= FIRST + timedelta(days=DAYS - JUDGED))
    assert {(row["date"], row["detector"]) for row in expected.to_dicts()} == set(rules(found))
    spike = rules(found)[FIRST + timedelta(days=140), "seasonal_residual"]
    assert (spike["kind"], spike["actual"], spike["judged"]) == ("spike", 900.0, "day")
    assert rules(found)[FIRST + timedelta(days=150), "zero"]["deviation_percent"] == -100


def test_earlier_history_than_is_handed_over_would_change_nothing() -> None:
    values = usual(60, seed=8)
    values[150] = 5.0
    longer = usual(90, seed=9) + values
    assert (
        find_anomalies(days_of(longer, is_count=True))
        .drop("event_date")
        .equals(find_anomalies(days_of(values, is_count=True)).drop("event_date"))
    )


def test_one_event_more_among_regular_ones_is_no_anomaly() -> None:
    values: list[float | None] = [5.0 if number % 9 else 6.0 for number in range(DAYS)]
    values[140], values[150] = 4.0, 30.0
    series = DailySeries(FIRST, np.array(values, dtype=np.float64))
    alone = judge({"": series}).filter("is_anomaly", pl.col("detector") == "seasonal_residual")["date"].to_list()
    assert FIRST + timedelta(days=140) in alone
    found = find_anomalies(days_of(values, is_count=True)).filter(pl.col("rule") == "seasonal_residual")
    (row,) = found.to_dicts()
    assert row["event_date"] == FIRST + timedelta(days=150)
    assert row["score"] == pytest.approx((30**0.5 - row["expected"] ** 0.5) / 0.5)


def test_weeks_that_overlap_are_one_anomaly() -> None:
    values = usual(3)
    values[145:] = [25.0] * (DAYS - 145)
    series = DailySeries(FIRST, np.array(values, dtype=np.float64))
    weekly = judge({"": series}).filter("is_anomaly", pl.col("judged") == "week")
    assert len(weekly) > 3
    found = find_anomalies(days_of(values, is_count=True)).filter(pl.col("judged") == "week")
    assert found["event_date"].to_list() == [weekly["date"].min()]


def test_days_without_a_ratio_are_neither_judged_nor_measured_by() -> None:
    rng = np.random.default_rng(3)
    values: list[float | None] = list(rng.normal(4, 0.2, DAYS))
    for number in range(0, DAYS, 11):
        values[number] = None
    values[150] = 9.0
    found = find_anomalies(days_of(values, is_count=False))
    absent = {FIRST + timedelta(days=number) for number in range(0, DAYS, 11)}
    assert rules(found)[FIRST + timedelta(days=150), "seasonal_residual"]["expected"] == pytest.approx(4, abs=0.3)
    found_absent = {day for day, rule in rules(found) if day in absent}
    missing = {day for day, rule in rules(found) if rule == "missing_data"}
    # Of 132, 143 and 154 each follows seven days with a value.
    assert found_absent == missing == {FIRST + timedelta(days=number) for number in (132, 143, 154)}
    assert rules(found)[FIRST + timedelta(days=132), "missing_data"]["actual"] is None


def test_a_ratio_is_never_summed_to_weeks() -> None:
    noisy: list[float | None] = list(np.random.default_rng(2).exponential(1.0, DAYS))
    noisy[140:147] = [9.0] * 7
    assert find_anomalies(days_of(noisy, is_count=False)).filter(pl.col("judged") == "week").is_empty()
    assert not find_anomalies(days_of(noisy, is_count=True)).filter(pl.col("judged") == "week").is_empty()


def test_series_are_judged_apart_and_in_no_order() -> None:
    first, second = usual(400), usual(80, seed=6)
    first[150] = second[145] = 0.0
    both = pl.concat([days_of(first, is_count=True, name="a"), days_of(second, is_count=True, name="b")])
    found = find_anomalies(both.sample(fraction=1, shuffle=True, seed=1))
    assert found.equals(find_anomalies(both))
    for name, values in (("a", first), ("b", second)):
        assert found.filter(pl.col("metric_id") == name).equals(
            find_anomalies(days_of(values, is_count=True, name=name))
        )


def test_nothing_watched_is_an_empty_table_of_the_same_columns() -> None:
    nothing = days_of(usual(5), is_count=True).clear()
    assert find_anomalies(nothing).schema == find_anomalies(days_of(usual(400), is_count=True)).schema
