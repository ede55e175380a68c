"""Snapshots against counting order by order, and blind to the future."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from math import ceil
from statistics import mean, stdev

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from models_ml.customers import ChurnWindows, churn_features, churn_snapshots
from models_ml.customers.churn import FEATURES, churn_cutoffs, churn_labels
from tests.models.customers.shops import FIRST, made_up_orders

DAY = timedelta(days=1)
CUT = FIRST + 200 * DAY
ORDER = st.tuples(st.integers(0, 3), st.integers(0, 24 * 250), st.integers(1, 400).map(lambda cents: cents / 4))


def frame(orders: list[tuple[int, int, float]]) -> pl.DataFrame:
    schema = {"customer_id": pl.Int64, "hour": pl.Int64, "amount": pl.Float64}
    found = pl.DataFrame(orders, schema=schema, orient="row")
    at = pl.lit(FIRST).dt.cast_time_unit("us") + pl.duration(hours="hour")
    return found.select("customer_id", ordered_at=at, amount="amount")


def by_hand(orders: list[tuple[int, int, float]], customer: int) -> dict[str, float | None] | None:
    """One customer's features, order by order; None for who is not in the population."""
    mine = sorted(((200 - hour / 24), amount) for who, hour, amount in orders if who == customer)
    seen = [(ago, amount) for ago, amount in mine if 0 < ago <= 180]
    if not seen or seen[0][0] > 90:
        return None
    agos = [ago for ago, _ in seen]
    gaps = [later - sooner for sooner, later in itertools.pairwise(agos)]
    mean_gap = mean(gaps) if gaps else None
    return {
        "days_since_last_order": agos[0],
        **{f"orders_{days}d": float(sum(ago <= days for ago in agos)) for days in (7, 30, 90)},
        "weeks_with_orders": float(len({ceil(ago / 7) for ago in agos})),
        "spend_30d": float(sum(amount for ago, amount in seen if ago <= 30)),
        "spend_90d": float(sum(amount for ago, amount in seen if ago <= 90)),
        "mean_order_value": mean(amount for _, amount in seen),
        "gap_deviation_days": stdev(gaps) if len(gaps) > 1 else None,
        "longest_gap_days": max(gaps) if gaps else None,
        "last_gap_days": gaps[0] if gaps else None,
        "gaps_since_last_order": agos[0] / mean_gap if mean_gap else None,
    }


@settings(max_examples=60)
@given(st.lists(ORDER, max_size=30))
def test_features_by_hand(orders: list[tuple[int, int, float]]) -> None:
    found = {row["customer_id"]: row for row in churn_features(frame(orders), CUT).iter_rows(named=True)}
    expected = {who: values for who in range(4) if (values := by_hand(orders, who))}
    assert found.keys() == expected.keys()
    for who, values in expected.items():
        assert set(values) == set(FEATURES)
        for name, value in values.items():
            assert found[who][name] == (None if value is None else pytest.approx(value, abs=1e-9)), name


@settings(max_examples=60)
@given(st.lists(ORDER, max_size=30))
def test_labels_by_hand(orders: list[tuple[int, int, float]]) -> None:
    found = dict(churn_labels(frame(orders), CUT).iter_rows())
    hours = {who: [hour / 24 - 200 for other, hour, _ in orders if other == who] for who in range(4)}
    population = {who for who, days in hours.items() if any(-90 <= day < 0 for day in days)}
    assert found == {who: int(not any(0 <= day < 30 for day in hours[who])) for who in population}


@pytest.mark.parametrize(("hours", "churned"), [(-1, 1), (0, 0), (30 * 24 - 1, 0), (30 * 24, 1)])
def test_the_label_window_begins_with_the_cutoff_and_ends_before_its_last_instant(hours: int, churned: int) -> None:
    orders = frame([(1, 199 * 24, 5.0), (1, 200 * 24 + hours, 5.0)])
    assert churn_labels(orders, CUT)["churned"].to_list() == [churned]


def test_no_feature_sees_past_its_cutoff() -> None:
    orders = made_up_orders()
    after = pl.col("ordered_at") >= CUT
    features = churn_features(orders, CUT)
    assert len(features) > 300
    futures = [
        orders.filter(~after),
        orders.with_columns(
            pl.when(after).then(pl.col("ordered_at") + 17 * DAY).otherwise("ordered_at").alias("ordered_at")
        ),
        orders.with_columns(pl.when(after).then(9e6).otherwise("amount").alias("amount")),
        pl.concat([orders, orders.with_columns(ordered_at=pl.lit(CUT).dt.cast_time_unit("us"))]),
    ]
    for future in futures:
        assert_frame_equal(churn_features(future, CUT), features)
    # The test can fail: one order a moment before the cut-off changes them.
    past = orders.with_columns(ordered_at=pl.col("ordered_at") - 60 * DAY)
    assert not churn_features(past, CUT).equals(features)


def test_training_labels_end_where_the_test_begins() -> None:
    cutoffs = churn_cutoffs(FIRST, FIRST + 365 * DAY, months=6)
    assert cutoffs.test == FIRST + 335 * DAY
    assert [(cutoffs.test - cutoff).days for cutoff in cutoffs.train] == [180, 150, 120, 90, 60, 30]
    short = churn_cutoffs(FIRST, FIRST + 190 * DAY, months=6)
    assert [(cutoff - FIRST).days for cutoff in short.train] == [100, 130]
    assert churn_cutoffs(FIRST, FIRST + 100 * DAY).train == ()


def test_what_happens_after_the_test_cutoff_changes_no_training_row() -> None:
    orders = made_up_orders()
    cutoffs = churn_cutoffs(FIRST, FIRST + 330 * DAY)
    training = churn_snapshots(orders, cutoffs.train)
    assert set(training["cutoff"]) == set(cutoffs.train)
    assert training.select("customer_id", "cutoff").is_unique().all()
    before = orders.filter(pl.col("ordered_at") < cutoffs.test)
    assert_frame_equal(churn_snapshots(before, cutoffs.train), training)


def test_order_of_rows_changes_nothing() -> None:
    orders = made_up_orders(customers=60)
    assert_frame_equal(churn_features(orders.reverse(), CUT), churn_features(orders, CUT))


def test_several_orders_at_one_instant_have_no_gap_to_count_in() -> None:
    found = churn_features(frame([(1, 4700, 5.0), (1, 4700, 6.0)]), CUT).row(0, named=True)
    assert found["longest_gap_days"] == 0
    assert found["gaps_since_last_order"] is None


def test_windows_and_frames_are_checked() -> None:
    with pytest.raises(ValueError, match="1 ≤ active_days ≤ history_days"):
        ChurnWindows(active_days=200)
    with pytest.raises(ValueError, match="90 ≤ history_days"):
        ChurnWindows(active_days=30, history_days=60)
    with pytest.raises(ValueError, match="orders lacks amount"):
        churn_features(made_up_orders(20).drop("amount"), CUT)
    with pytest.raises(ValueError, match="give both or neither a time zone"):
        churn_features(made_up_orders(20), CUT.replace(tzinfo=None))
    with pytest.raises(ValueError, match="no cut-off"):
        churn_snapshots(made_up_orders(20), ())
    with pytest.raises(ValueError, match="ordered_at is Date; give a Datetime"):
        churn_features(
            made_up_orders(20).with_columns(pl.col("ordered_at").dt.date()), datetime(2024, 3, 1, tzinfo=UTC)
        )
