"""Series, their scale and their outliers."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from models_ml.forecasting import Scale, suitable_scale
from models_ml.forecasting.ordinary import without_outliers
from models_ml.series import DailySeries, known_median, series_by
from tests.models.forecasting.worlds import MONDAY, WEEKDAYS, shop

FRAME = pl.DataFrame({"date": [MONDAY + timedelta(days=day) for day in range(3)], "value": [1, 2, 3]})


def test_rows_come_in_any_order() -> None:
    series = DailySeries.from_frame(FRAME.reverse())
    assert (series.start, series.end, len(series)) == (MONDAY, date(2024, 1, 3), 3)
    assert series.values.tolist() == [1.0, 2.0, 3.0]
    assert series.first(2).values.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (FRAME.drop("value"), "lacks value"),
        (FRAME.clear(), "no row"),
        (FRAME[[0, 2]], "2024-01-03 follows a gap"),
        (pl.concat([FRAME, FRAME[1:2]]), "2024-01-02 is there twice"),
        (FRAME.with_columns(value=pl.lit(None)), "null in value"),
        (FRAME.with_columns(value=pl.lit(float("nan"))), "value of 2024-01-01 is nan"),
        (FRAME.with_columns(value=pl.lit(float("inf"))), "is inf"),
    ],
)
def test_what_is_no_series_is_refused(frame: pl.DataFrame, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DailySeries.from_frame(frame)


def test_many_series_are_named() -> None:
    both = pl.concat([FRAME.with_columns(series=pl.lit(name)) for name in ("b", "a")])
    assert {name: each.values.sum() for name, each in series_by(both).items()} == {"a": 6.0, "b": 6.0}
    with pytest.raises(ValueError, match="series b: the day"):
        series_by(both[[0, 2, 3, 4, 5]])


@given(
    hnp.arrays(
        np.float64, st.tuples(st.integers(1, 5), st.integers(1, 8)), elements=st.sampled_from([np.nan, 1, 2, 7.5])
    )
)
def test_the_median_of_what_is_known(values: np.ndarray) -> None:
    expected = [np.median(row[~np.isnan(row)]) if (~np.isnan(row)).any() else np.nan for row in values]
    np.testing.assert_array_equal(known_median(values), expected)


@pytest.mark.parametrize("scale", Scale)
def test_values_come_back_from_their_scale(scale: Scale) -> None:
    values = np.array([0.5, 1.0, 30.0])
    assert scale.restore(scale.transform(values)) == pytest.approx(values)


def test_nothing_lies_below_the_root_of_zero() -> None:
    assert Scale.SQRT.restore(np.array([-3.0, 2.0])).tolist() == [0.0, 4.0]


def growing(spread: object) -> np.ndarray:
    """A level that grows hundredfold from week to week, with a spread that depends on it."""
    level = np.repeat(np.geomspace(1e4, 1e6, 100), 7)
    return level + np.random.default_rng(1).normal(0, 1, 700) * spread(level)  # type: ignore[operator]


def test_the_scale_follows_how_the_spread_grows() -> None:
    assert suitable_scale(growing(lambda level: 500.0)) is Scale.RAW
    assert suitable_scale(growing(lambda level: 10 * np.sqrt(level))) is Scale.SQRT
    assert suitable_scale(growing(lambda level: 0.1 * level)) is Scale.LOG


def test_the_scale_has_a_place_for_every_value() -> None:
    values = growing(lambda level: 0.1 * level)
    assert suitable_scale(np.append(values, 0.0)) is not Scale.LOG
    assert suitable_scale(values, lowest=0.0) is not Scale.LOG
    assert suitable_scale(values, lowest=-1.0) is Scale.RAW
    assert suitable_scale(np.full(60, 5.0)) is Scale.RAW
    assert suitable_scale(np.array([5.0])) is Scale.RAW


def outliers_by_hand(values: np.ndarray) -> set[int]:
    roots = np.sqrt(values)
    usual = [
        np.median([roots[other] for other in range(day - 28, day + 29, 7) if 0 <= other < len(roots)])
        for day in range(len(roots))
    ]
    deviation = np.abs(roots - usual)
    return set(np.flatnonzero(deviation > 5 * 1.4826 * np.median(deviation)).tolist())


@pytest.mark.parametrize("days", [60, 61, 66, 200])
def test_outliers_are_replaced_and_nothing_else(days: int) -> None:
    values = shop(days, seed=days).values
    values[[20, 33, days - 1]] = [0.0, 5000.0, 0.0]
    cleaned = without_outliers(values)
    changed = set(np.flatnonzero(cleaned != values).tolist())
    assert changed == outliers_by_hand(values) >= {20, 33, days - 1}
    weekday = values[20 - 14 : 20 + 29 : 7]
    assert weekday.min() <= cleaned[20] <= weekday.max()


def test_a_closed_weekday_is_usual() -> None:
    values = shop(120, seed=2).values
    values[np.arange(120) % 7 == 6] = 0.0
    assert (without_outliers(values) == values).all()


def test_a_new_level_counts_after_three_weeks() -> None:
    values = 400 * np.tile(WEEKDAYS, 20) + np.random.default_rng(3).normal(0, 5, 140)
    values[-21:] *= 2
    assert (without_outliers(values)[-1:] == values[-1:]).all()
    assert (without_outliers(values[:-14]) != values[:-14]).any()


@pytest.mark.parametrize("values", [np.full(30, 4.0), np.zeros(30), np.array([3.0]), -np.arange(30.0)])
def test_series_without_outliers_stay(values: np.ndarray) -> None:
    assert (without_outliers(values) == values).all()
