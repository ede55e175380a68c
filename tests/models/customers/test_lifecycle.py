"""Lifecycle stages against a customer's life lived day by day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models_ml.customers import LifecycleRules, Stage, lifecycle_stages, order_milestones

START = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def lived(signed_up: int, orders: list[int], until: int) -> str:
    """The stage after every day of a life: a state that events and the passing of days change."""
    stage, since, clock, newcomer_until = "NEW", signed_up, signed_up, signed_up + 30
    ordered = False
    for today in range(signed_up, until + 1):
        stage = aged(stage, today - clock)
        if today in orders:
            if stage == "INACTIVE" and ordered:
                stage, since = "REACTIVATED", today
            elif not ordered:
                stage, newcomer_until = "NEW", today + 30
            elif stage == "AT_RISK":
                stage = "ACTIVE"
            ordered, clock = True, today
        if stage == "NEW" and today > newcomer_until:
            stage = "ACTIVE"
        if stage == "REACTIVATED" and today > since + 30:
            stage = "ACTIVE"
        stage = aged(stage, today - clock)
    return stage


def aged(stage: str, days: int) -> str:
    return "INACTIVE" if days >= 90 else "AT_RISK" if days >= 45 else stage


def stages(signed_up: int, orders: list[int], until: int) -> list[str]:
    as_of = START + until * DAY
    frame = pl.DataFrame(
        {"customer_id": [1] * len(orders), "ordered_at": [START + day * DAY for day in orders]},
        schema={"customer_id": pl.Int64, "ordered_at": pl.Datetime("us", "UTC")},
    )
    people = pl.DataFrame({"customer_id": [1], "signed_up_at": [START + signed_up * DAY]})
    # An order at as_of itself belongs to the next day's state; the life lived takes it in, so look a moment later.
    moment = as_of + timedelta(microseconds=1)
    found = people.join(order_milestones(frame, moment), on="customer_id", how="left")
    return lifecycle_stages(found, as_of)["stage"].to_list()


@given(
    orders=st.lists(st.integers(0, 400), max_size=8),
    until=st.integers(0, 450),
)
@example(orders=[0, 90], until=90)
@example(orders=[0, 90], until=120)
@example(orders=[0, 90], until=121)
@example(orders=[0, 89], until=89)
@example(orders=[], until=30)
@example(orders=[], until=31)
@example(orders=[200], until=210)
def test_stages_follow_a_life_lived_day_by_day(orders: list[int], until: int) -> None:
    assert stages(0, orders, until) == [lived(0, orders, until)]


@pytest.mark.parametrize(
    ("days", "stage"),
    [(0, "NEW"), (30, "NEW"), (31, "ACTIVE"), (44, "ACTIVE"), (45, "AT_RISK"), (89, "AT_RISK"), (90, "INACTIVE")],
)
def test_thresholds_after_a_first_order(days: int, stage: str) -> None:
    assert stages(0, [0], days) == [stage]


def test_all_stages_are_texts_of_the_enumeration() -> None:
    assert {
        stages(0, orders, until)[0] for orders, until in [([0], 0), ([0], 40), ([0], 50), ([0], 99), ([0, 99], 99)]
    } == {stage.value for stage in Stage}


def test_a_customer_who_never_was_there_is_refused() -> None:
    instants = {key: [None] for key in ("signed_up_at", "first_order_at", "last_order_at", "last_return_at")}
    frame = pl.DataFrame(
        {"customer_id": [1], **instants}, schema_overrides={k: pl.Datetime("us", "UTC") for k in instants}
    )
    with pytest.raises(ValueError, match="neither signed_up_at nor first_order_at"):
        lifecycle_stages(frame, START)
    known = frame.with_columns(signed_up_at=pl.lit(START + DAY))
    with pytest.raises(ValueError, match="instants after as_of"):
        lifecycle_stages(known, START)


def test_rules_must_follow_each_other() -> None:
    with pytest.raises(ValueError, match="at_risk_days < inactive_days"):
        LifecycleRules(at_risk_days=90)


def test_no_customers_no_stages() -> None:
    schema = {"customer_id": pl.Int64} | dict.fromkeys(
        ("signed_up_at", "first_order_at", "last_order_at", "last_return_at"), pl.Datetime("us", "UTC")
    )
    assert lifecycle_stages(pl.DataFrame(schema=schema), START).rows() == []
