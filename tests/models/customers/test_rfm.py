"""RFM against SQL's percent_rank, and where it has little to rank."""

from __future__ import annotations

import duckdb
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_ml.customers import RfmCutPoints, RfmRules, fit_rfm, score_rfm
from models_ml.reasons import NotComputable, Reason

ROW = st.tuples(st.integers(0, 180), st.integers(1, 12), st.integers(0, 60).map(lambda cents: cents / 4))
SCORES = ("recency_score", "frequency_score", "monetary_score")


def customers(rows: list[tuple[int, int, float]]) -> pl.DataFrame:
    schema = {"recency_days": pl.Int64, "frequency": pl.Int64, "monetary": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row").with_row_index("customer_id")


def cut_points(frame: pl.DataFrame) -> RfmCutPoints:
    found = fit_rfm(frame)
    assert isinstance(found, RfmCutPoints)
    return found


@given(st.lists(ROW, min_size=1, max_size=40))
def test_scores_are_quintiles_of_the_percent_rank_in_sql(rows: list[tuple[int, int, float]]) -> None:
    frame = customers(rows)
    # Whole-number arithmetic: a place times five over the places, cut to a whole number.
    score = "1 + least(4, (5 * (rank() over (order by {}) - 1)) // greatest((select count(*) from frame) - 1, 1))"
    asked = duckdb.sql(
        f"select {score.format('recency_days desc')}, {score.format('frequency')}, {score.format('monetary')} from frame "
        "order by customer_id"
    ).fetchall()
    scored = score_rfm(frame, cut_points(frame))
    assert scored.select(SCORES).rows() == asked
    composite = scored.select(
        4 * pl.col("recency_score") + 3 * pl.col("frequency_score") + 3 * pl.col("monetary_score")
    )
    assert scored["composite"].to_list() == composite.to_series().to_list()
    assert scored["composite"].is_between(10, 50).all()
    assert scored["is_vip"].to_list() == [value >= 38 for value in scored["composite"]]


@given(st.lists(ROW, min_size=1, max_size=40), st.randoms())
def test_equal_values_score_equal_and_order_counts_for_nothing(
    rows: list[tuple[int, int, float]], chance: object
) -> None:
    frame = customers(rows)
    shuffled = frame.sample(fraction=1, shuffle=True, seed=3)
    assert cut_points(frame) == cut_points(shuffled)
    scored = score_rfm(frame, cut_points(frame)).join(frame, on="customer_id")
    for measure, score in zip(("recency_days", "frequency", "monetary"), SCORES, strict=True):
        assert scored.group_by(measure).agg(pl.col(score).n_unique())[score].max() == 1
        ordered = scored.sort(measure, descending=measure == "recency_days")[score]
        assert ordered.is_sorted()


def test_fewer_than_five_values_have_a_defined_result() -> None:
    alike = customers([(10, 2, 50.0)] * 7)
    assert score_rfm(alike, cut_points(alike)).select(SCORES).unique().rows() == [(1, 1, 1)]
    two = customers([(10, 1, 50.0)] * 6 + [(5, 2, 80.0)] * 4)
    assert score_rfm(two, cut_points(two)).select(SCORES).unique().sort(SCORES).rows() == [(1, 1, 1), (4, 4, 4)]


def test_cut_points_are_versioned_by_content_and_score_later_customers() -> None:
    first = customers([(day, day % 6 + 1, float(day)) for day in range(50)])
    cuts = cut_points(first)
    assert cuts.version == cut_points(first.reverse()).version
    assert cuts.version != cut_points(first.with_columns(pl.col("monetary") + 1)).version
    later = customers([(0, 100, 1e6), (400, 1, 0.0)])
    scored = score_rfm(later, cuts)
    assert scored.select(SCORES).rows() == [(5, 5, 5), (1, 1, 1)]
    assert scored["cut_points"].unique().to_list() == [cuts.version]
    assert scored["is_vip"].to_list() == [True, False]


def test_weights_and_the_vip_threshold_are_rules() -> None:
    frame = customers([(9, 1, 5.0), (1, 4, 90.0)])
    scored = score_rfm(frame, cut_points(frame), RfmRules(recency=1, frequency=0, monetary=0, vip=5))
    assert scored["composite"].to_list() == [1, 5]
    assert scored["is_vip"].to_list() == [False, True]


def test_without_customers_there_is_a_reason() -> None:
    assert fit_rfm(customers([])) == NotComputable(Reason.NO_DATA, "There is no active customer to rank.")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (pl.lit(None, pl.Float64).alias("monetary"), "monetary has 2 values that are null"),
        (pl.lit(float("nan")).alias("monetary"), "monetary has 2 values that are null"),
        (pl.lit(float("inf")).alias("monetary"), "monetary has 2 values that are null"),
        (pl.lit(-1).alias("recency_days"), "recency_days falls to -1"),
        (pl.lit(7).alias("customer_id"), r"holds \(7,\) more than once"),
        (pl.lit("x").alias("frequency"), "frequency is String"),
    ],
)
def test_what_is_wrong_with_a_frame_is_named(change: pl.Expr, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit_rfm(customers([(9, 1, 5.0), (1, 4, 90.0)]).with_columns(change))


def test_a_missing_column_is_named() -> None:
    with pytest.raises(ValueError, match="customers lacks monetary; it has customer_id, recency_days, frequency"):
        fit_rfm(customers([]).drop("monetary"))
