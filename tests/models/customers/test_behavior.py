"""Behavior patterns, each at its threshold and beyond."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from models_ml.customers import BehaviorRules, Pattern, behavior_patterns

NOW = datetime(2025, 6, 1, tzinfo=UTC)
PLAIN: dict[str, Any] = {
    "first": 300,
    "last": 10,
    "orders": 10,
    "spend": 0.0,
    "weekend_share": 0.3,
    "top_category_share": 0.3,
    "locations": 5,
    "orders_12m": 40,
    "peak_month_spend": 120.0,
    "mean_month_spend": 100.0,
}


def people(*changes: dict[str, Any]) -> pl.DataFrame:
    rows = [PLAIN | change for change in changes]
    return (
        pl.DataFrame(rows)
        .with_columns(
            first_order_at=pl.Series([NOW - timedelta(days=row["first"]) for row in rows]),
            last_order_at=pl.Series([NOW - timedelta(days=row["last"]) for row in rows]),
        )
        .drop("first", "last")
        .with_row_index("customer_id")
    )


def patterns_of(change: dict[str, Any]) -> dict[str, float]:
    found = behavior_patterns(people(change), NOW)
    return dict(found.select("pattern", "score").rows())


@pytest.mark.parametrize(
    ("change", "pattern", "score"),
    [
        ({"orders": 26}, "FREQUENT_SHOPPER", 0.5 + 0.5 * (26 * 7 / 90 - 2) / 5),
        ({"orders": 90}, "FREQUENT_SHOPPER", 1.0),
        ({"orders": 200}, "FREQUENT_SHOPPER", 1.0),
        ({"weekend_share": 0.7}, "WEEKEND_SHOPPER", 0.5),
        ({"weekend_share": 1.0}, "WEEKEND_SHOPPER", 1.0),
        ({"top_category_share": 0.5}, "CATEGORY_FOCUSED", 0.5),
        ({"top_category_share": 0.75}, "CATEGORY_FOCUSED", 0.75),
        ({"locations": 2}, "LOCATION_CLUSTERED", 0.5),
        ({"locations": 1}, "LOCATION_CLUSTERED", 1.0),
        ({"first": 29.99}, "NEW_SHOPPER", 0.5 + 0.5 * 0.01 / 30),
        ({"first": 0, "last": 0}, "NEW_SHOPPER", 1.0),
        ({"last": 60}, "INACTIVE", 0.75),
        ({"last": 299}, "INACTIVE", 1.0),
        ({"peak_month_spend": 300.0}, "SEASONAL_SPENDER", 0.5),
        ({"peak_month_spend": 1200.0}, "SEASONAL_SPENDER", 1.0),
    ],
)
def test_a_pattern_holds_from_its_threshold_on(change: dict[str, Any], pattern: str, score: float) -> None:
    assert patterns_of(change) == {pattern: pytest.approx(score)}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"orders": 25},
        {"weekend_share": 0.69},
        {"top_category_share": 0.49},
        {"locations": 3},
        {"locations": 0},
        {"first": 30},
        {"last": 30},
        {"peak_month_spend": 299.0},
        {"mean_month_spend": 0.0, "peak_month_spend": 0.0},
        {"orders": 4, "weekend_share": 1.0, "top_category_share": 1.0, "locations": 1},
        {"orders_12m": 4, "peak_month_spend": 1200.0},
    ],
)
def test_no_pattern_below_its_threshold_or_with_too_few_orders(change: dict[str, Any]) -> None:
    assert patterns_of(change) == {}


def test_high_spenders_are_the_top_fifth_of_those_who_spent() -> None:
    spends = [0.0] * 20 + [float(value) for value in range(1, 12)]
    found = behavior_patterns(people(*({"spend": spend} for spend in spends)), NOW)
    assert found["pattern"].unique().to_list() == ["HIGH_SPENDER"]
    assert found["customer_id"].to_list() == [28, 29, 30]
    assert found["score"].to_list() == pytest.approx([0.5, 0.75, 1.0])
    alike = behavior_patterns(people(*({"spend": 5.0} for _ in range(9))), NOW)
    assert alike.is_empty()


def test_the_strongest_pattern_is_primary_and_the_first_of_equals() -> None:
    found = behavior_patterns(
        people({"weekend_share": 0.8, "locations": 1, "top_category_share": 1.0, "last": 31}), NOW
    )
    assert dict(found.select("pattern", "is_primary").rows()) == {
        "WEEKEND_SHOPPER": False,
        "CATEGORY_FOCUSED": True,
        "LOCATION_CLUSTERED": False,
        "INACTIVE": False,
    }
    assert found["reason"].to_list()[0] == "80 % of orders on weekends"


def test_every_pattern_can_be_found_and_has_one_primary_per_customer() -> None:
    rows = people(
        *({"spend": 1.0} for _ in range(9)),
        {"spend": 99.0, "orders": 60, "weekend_share": 0.9, "first": 5, "last": 1, "peak_month_spend": 600.0},
        {"last": 80, "locations": 2, "top_category_share": 0.6},
    )
    found = behavior_patterns(rows, NOW)
    assert set(found["pattern"]) == {pattern.value for pattern in Pattern}
    assert found.group_by("customer_id").agg(pl.col("is_primary").sum())["is_primary"].unique().to_list() == [1]
    assert found["score"].is_between(0.5, 1).all()


def test_no_customers_no_patterns_and_rules_leave_room() -> None:
    assert behavior_patterns(people({}).clear(), NOW).is_empty()
    with pytest.raises(ValueError, match="weekend_share is 1"):
        BehaviorRules(weekend_share=1)
