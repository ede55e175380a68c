"""Data-driven credit by breakdown and window: a table that gives away all there is, or says why not."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
import pytest

from models_ml.attribution import Paths, credit_windows, markov, shapley


def paths(**changes: object) -> pl.DataFrame:
    """Two windows of the same paths, in no order."""
    frame = pl.DataFrame(
        {
            "path": [["b"], ["a", "b"], ["a"], ["c", "a", "b"]],
            "conversions": [3, 2, 1, 1],
            "revenue": [10.01, 20.02, 33.33, 0.01],
            "unconverted": [5, 1, 7, 0],
            "missing_rate": [0, 0, 0, 0],
        }
    ).with_columns(**{name: pl.Series(values) for name, values in changes.items()})  # type: ignore[arg-type]
    return pl.concat(
        [
            frame.with_columns(pl.lit("platform").alias("breakdown"), pl.lit(window).alias("window_label"))
            for window in ("7d", "30d")
        ]
    )


def test_each_window_has_the_credit_of_its_paths() -> None:
    found = credit_windows(paths())
    for model, function in (("markov", markov), ("shapley", shapley)):
        expected = function(Paths.from_frame(paths().head(4)))
        for window in ("7d", "30d"):
            rows = found.filter((pl.col("model") == model) & (pl.col("window_label") == window)).sort("breakdown_key")
            assert rows["orders"].to_list() == pytest.approx(expected.conversions)  # type: ignore[union-attr]
            assert rows["revenue"].cast(pl.Float64).to_list() == pytest.approx(expected.revenue, abs=1e-4)  # type: ignore[union-attr]
            assert rows["revenue"].sum() == Decimal("63.3700")


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
    assert found["revenue"].null_count() == len(found) == 12


def test_no_path_gives_an_empty_table_of_the_same_columns() -> None:
    assert credit_windows(paths().clear()).schema == credit_windows(paths()).schema
