"""Behavior patterns: what stands out in how a customer shopped (spec 03-customers)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import polars as pl

from models_ml.customers.frames import check_frame
from models_ml.customers.rfm import percent_rank


class Pattern(StrEnum):
    """The eight patterns; of two equally strong ones the first is primary."""

    HIGH_SPENDER = "HIGH_SPENDER"
    FREQUENT_SHOPPER = "FREQUENT_SHOPPER"
    WEEKEND_SHOPPER = "WEEKEND_SHOPPER"
    CATEGORY_FOCUSED = "CATEGORY_FOCUSED"
    LOCATION_CLUSTERED = "LOCATION_CLUSTERED"
    NEW_SHOPPER = "NEW_SHOPPER"
    INACTIVE = "INACTIVE"
    SEASONAL_SPENDER = "SEASONAL_SPENDER"


_MONTHS = 12
_MOST_ORDERS_A_WEEK = 7


@dataclass(frozen=True)
class BehaviorRules:
    """From where on a pattern holds. ``least_orders`` guards shares, which are noise without them."""

    window_days: int = 90
    top_spend_share: float = 0.2
    orders_a_week: float = 2.0
    weekend_share: float = 0.7
    category_share: float = 0.5
    locations: int = 2
    new_days: int = 30
    inactive_days: int = 30
    seasonal_ratio: float = 3.0
    least_orders: int = 5

    def __post_init__(self) -> None:
        # Each threshold must leave room up to what can't be stronger, else strength has no scale.
        room = {
            "top_spend_share": 0 < self.top_spend_share < 1,
            "orders_a_week": 0 < self.orders_a_week < _MOST_ORDERS_A_WEEK,
            "weekend_share": 0 < self.weekend_share < 1,
            "category_share": 0 < self.category_share < 1,
            "locations": self.locations >= 2,
            "new_days": self.new_days > 0,
            "inactive_days": 0 < self.inactive_days < self.window_days,
            "seasonal_ratio": 1 < self.seasonal_ratio < _MONTHS,
        }
        for name, has_room in room.items():
            if not has_room:
                raise ValueError(f"{name} is {getattr(self, name)}, where the pattern always or never holds.")


_NUMBERS = (
    "orders",
    "spend",
    "weekend_share",
    "top_category_share",
    "locations",
    "orders_12m",
    "peak_month_spend",
    "mean_month_spend",
)


@dataclass(frozen=True)
class _Test:
    """A pattern holds where ``value`` reaches ``threshold``; ``extreme`` is where it can't be stronger."""

    pattern: Pattern
    value: pl.Expr
    threshold: float
    extreme: float
    reason: pl.Expr
    orders: str = "orders"
    least_orders: int = 0
    is_strict: bool = False

    def rows(self, customers: pl.LazyFrame) -> pl.LazyFrame:
        turn = 1 if self.extreme > self.threshold else -1
        distance = turn * (self.value - self.threshold)
        strength = 0.5 + 0.5 * distance / abs(self.extreme - self.threshold)
        return customers.filter(
            pl.col(self.orders) >= self.least_orders, distance > 0 if self.is_strict else distance >= 0
        ).select(
            "customer_id",
            pattern=pl.lit(self.pattern.value),
            score=strength.cast(pl.Float64).clip(upper_bound=1.0),
            reason=self.reason,
        )


def behavior_patterns(customers: pl.DataFrame, as_of: datetime, rules: BehaviorRules | None = None) -> pl.DataFrame:
    """The patterns of each customer at ``as_of``: one row per customer and pattern that holds.

    ``customers`` has one row per customer with an order ever: customer_id, first_order_at, last_order_at; of the last
    90 days orders, spend, weekend_share (of orders, in the customer's time zone), top_category_share (of orders),
    locations (different stores or regions, 0 if unknown); of the last 12 months orders_12m, peak_month_spend and
    mean_month_spend (over all 12).

    Returns customer_id, pattern, score, is_primary, reason, by customer and pattern. The score is ½ at the threshold
    and 1 where the pattern can't be stronger (all orders on weekends, all spend in one month, an order a day, 90 days
    without one), so scores of different patterns compare and the highest is primary. HIGH_SPENDER is the percent rank
    of spend among those who spent, ties equal: where everyone spends the same, no one stands out.

    Raises ValueError for frames that are not of this form.
    """
    instants = ("first_order_at", "last_order_at")
    check_frame(customers, "customers", key=("customer_id",), numbers=_NUMBERS, instants=instants, as_of=as_of)
    rules = rules or BehaviorRules()
    spend = customers["spend"].cast(pl.Float64)
    is_spender = (spend > 0).to_numpy()
    rank = spend.clone().to_numpy().copy()
    rank[is_spender] = percent_rank(rank[is_spender])
    rank[~is_spender] = 0
    frame = customers.lazy().with_columns(rank=pl.Series(rank, dtype=pl.Float64))
    order = {pattern.value: place for place, pattern in enumerate(Pattern)}
    place = pl.col("pattern").replace_strict(order, return_dtype=pl.Int8)
    found = pl.concat([test.rows(frame) for test in _tests(as_of, rules)])
    return (
        found.with_columns(place=place)
        .sort("customer_id", "place")
        .with_columns(
            is_primary=pl.col("score").arg_max().over("customer_id") == pl.int_range(pl.len()).over("customer_id")
        )
        .select("customer_id", "pattern", "score", "is_primary", "reason")
        .collect()
    )


def _tests(as_of: datetime, rules: BehaviorRules) -> tuple[_Test, ...]:
    def whole(value: pl.Expr) -> pl.Expr:
        return value.round().cast(pl.Int64)

    def days_since(column: str) -> pl.Expr:
        return (pl.lit(as_of) - pl.col(column)) / timedelta(days=1)

    rank, weekend, category = pl.col("rank"), pl.col("weekend_share"), pl.col("top_category_share")
    locations = pl.when(pl.col("locations") > 0).then(pl.col("locations"))
    ratio = pl.when(pl.col("mean_month_spend") > 0).then(pl.col("peak_month_spend") / pl.col("mean_month_spend"))
    newcomer, absent = days_since("first_order_at"), days_since("last_order_at")
    return (
        _Test(
            Pattern.HIGH_SPENDER,
            value=rank,
            threshold=1 - rules.top_spend_share,
            extreme=1,
            reason=pl.format("spent more than {} % of others", whole(100 * rank)),
        ),
        _Test(
            Pattern.FREQUENT_SHOPPER,
            value=pl.col("orders") * 7 / rules.window_days,
            threshold=rules.orders_a_week,
            extreme=_MOST_ORDERS_A_WEEK,
            reason=pl.format("{} orders in {} days", whole(pl.col("orders")), pl.lit(rules.window_days)),
        ),
        _Test(
            Pattern.WEEKEND_SHOPPER,
            value=weekend,
            threshold=rules.weekend_share,
            extreme=1,
            reason=pl.format("{} % of orders on weekends", whole(100 * weekend)),
            least_orders=rules.least_orders,
        ),
        _Test(
            Pattern.CATEGORY_FOCUSED,
            value=category,
            threshold=rules.category_share,
            extreme=1,
            reason=pl.format("{} % in one category", whole(100 * category)),
            least_orders=rules.least_orders,
        ),
        _Test(
            Pattern.LOCATION_CLUSTERED,
            value=locations,
            threshold=rules.locations,
            extreme=1,
            reason=pl.format("{} orders in {} locations", whole(pl.col("orders")), whole(locations)),
            least_orders=rules.least_orders,
        ),
        _Test(
            Pattern.NEW_SHOPPER,
            value=newcomer,
            threshold=rules.new_days,
            extreme=0,
            reason=pl.format("first order {} days ago", newcomer.floor().cast(pl.Int64)),
            is_strict=True,
        ),
        _Test(
            Pattern.INACTIVE,
            value=absent,
            threshold=rules.inactive_days,
            extreme=rules.window_days,
            reason=pl.format("last order {} days ago", absent.floor().cast(pl.Int64)),
            is_strict=True,
        ),
        _Test(
            Pattern.SEASONAL_SPENDER,
            value=ratio,
            threshold=rules.seasonal_ratio,
            extreme=_MONTHS,
            reason=pl.format("the best month is {} % of the mean", whole(100 * ratio)),
            orders="orders_12m",
            least_orders=rules.least_orders,
        ),
    )
