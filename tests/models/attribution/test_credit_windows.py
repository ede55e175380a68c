"""Data-driven credit by breakdown and window: a table that gives away all there is, or says why not."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from models_ml.attribution import Paths, credit_windows, markov, shapley


def paths(**changes: object) -> pl.DataFrame:
    """Two windows, the first of which lies in the second, in no order; ``c`` was met in the second alone."""
    frame = pl.DataFrame(
        {
            "path": [["b"], ["a", "b"], ["a"], ["c", "a", "b"]],
            "conversions": [3, 2, 1, 1],
            "revenue": [10.01, 20.02, 33.33, 0.01],
            "unconverted": [5, 1, 7, 0],
            "missing_rate": [0, 0, 0, 0],
            "window_labels": [["30d", "7d"], ["30d", "7d"], ["30d", "7d"], ["30d"]],
        }
    )
    return frame.with_columns(
        pl.lit("platform").alias("breakdown"),
        **{name: pl.Series(values) for name, values in changes.items()},  # type: ignore[arg-type]
    )


def test_each_window_has_the_credit_of_its_paths() -> None:
    found = credit_windows(paths())
    for model, function in (("markov", markov), ("shapley", shapley)):
        for window, held, revenue in (("7d", 3, "63.3600"), ("30d", 4, "63.3700")):
            expected = function(Paths.from_frame(paths().head(held)))
            rows = found.filter((pl.col("model") == model) & (pl.col("window_label") == window)).sort("breakdown_key")
            assert rows["orders"].to_list() == pytest.approx(expected.conversions)  # type: ignore[union-attr]
            assert rows["revenue"].cast(pl.Float64).to_list() == pytest.approx(expected.revenue, abs=1e-4)  # type: ignore[union-attr]
            assert rows["revenue"].sum() == Decimal(revenue)


def test_journeys_of_one_path_may_stand_in_several_rows() -> None:
    apart = paths(window_labels=[["30d"], ["30d", "7d"], ["30d", "7d"], ["30d"]])
    whole = pl.concat([apart, apart.head(1).with_columns(window_labels=pl.Series([["30d", "7d"]]))])
    doubled = pl.col("conversions", "revenue", "unconverted") * pl.when(pl.col("path") == ["b"]).then(2).otherwise(1)
    expected = credit_windows(paths().with_columns(doubled)).filter(window_label="30d")
    assert_frame_equal(credit_windows(whole).filter(window_label="30d"), expected)
    assert_frame_equal(
        credit_windows(whole).filter(window_label="7d"), credit_windows(paths()).filter(window_label="7d")
    )


def test_the_order_of_the_rows_changes_nothing() -> None:
    assert credit_windows(paths()).equals(credit_windows(paths().reverse()))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"missing_rate": [0, 1, 0, 0]}, "missing_rate"),
        ({"conversions": [0, 0, 0, 0], "revenue": [0.0, 0.0, 0.0, 0.0]}, "no_conversions"),
    ],
)
def test_what_can_not_be_credited_says_why(changes: dict[str, object], reason: str) -> None:
    found = credit_windows(paths(**changes))
    assert set(found["null_reason"]) == {reason}
    assert found["revenue"].null_count() == len(found) == 10


def test_no_path_gives_an_empty_table_of_the_same_columns() -> None:
    assert credit_windows(paths().clear()).schema == credit_windows(paths()).schema
