"""What was known of customers at a cut-off, and whether they stayed away after it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from models_ml.customers.frames import check_orders

FEATURES = (
    "days_since_last_order",
    "orders_7d",
    "orders_30d",
    "orders_90d",
    "weeks_with_orders",
    "spend_30d",
    "spend_90d",
    "mean_order_value",
    "gap_deviation_days",
    "longest_gap_days",
    "last_gap_days",
    "gaps_since_last_order",
)
"""What models read of a customer. ``weeks_with_orders`` counts weeks back from the cut-off, of the whole history;
``gaps_since_last_order`` is the time since the last order in mean gaps between orders."""


_LONGEST = 90  # days of the longest feature window


@dataclass(frozen=True)
class ChurnWindows:
    """Who is looked at (an order in the last ``active_days``), what churn is (none in the next ``label_days``), and how
    far back features look.
    """

    active_days: int = 90
    label_days: int = 30
    history_days: int = 180

    def __post_init__(self) -> None:
        if not (self.label_days > 0 and 0 < self.active_days <= self.history_days and self.history_days >= _LONGEST):
            raise ValueError(
                f"{self}: label_days from 1 on, 1 ≤ active_days ≤ history_days and {_LONGEST} ≤ history_days must hold."
            )


def churn_features(orders: pl.DataFrame, cutoff: datetime, windows: ChurnWindows | None = None) -> pl.DataFrame:
    """The population at a cut-off and its features, from orders before the cut-off alone.

    ``orders`` has one row per completed order, in any order: customer_id, ordered_at, amount. Returns customer_id and
    :data:`FEATURES`, by customer; times in days, null where a gap needs more orders than there are.
    """
    check_orders(orders, cutoff)
    windows = windows or ChurnWindows()
    at, amount, days_ago = pl.col("ordered_at"), pl.col("amount").cast(pl.Float64), pl.col("days_ago")
    gap = pl.col("gap")
    day = timedelta(days=1)

    def within(days: int) -> pl.Expr:
        return days_ago <= days

    return (
        orders.lazy()
        .filter(at < cutoff, at >= cutoff - windows.history_days * day)
        .select("customer_id", at, amount, days_ago=(pl.lit(cutoff) - at) / day)
        .sort("customer_id", "ordered_at", "amount")
        .with_columns(gap=-days_ago.diff().over("customer_id"))
        .group_by("customer_id", maintain_order=True)
        .agg(
            days_since_last_order=days_ago.last(),
            orders_7d=within(7).sum(),
            orders_30d=within(30).sum(),
            orders_90d=within(90).sum(),
            weeks_with_orders=(days_ago / 7).ceil().n_unique(),
            spend_30d=amount.filter(within(30)).sum(),
            spend_90d=amount.filter(within(90)).sum(),
            mean_order_value=amount.mean(),
            mean_gap_days=gap.mean(),
            gap_deviation_days=gap.std(),
            longest_gap_days=gap.max(),
            last_gap_days=gap.last(),
        )
        .filter(pl.col("days_since_last_order") <= windows.active_days)
        # Several orders at one instant have a mean gap of 0, of which no multiple makes sense.
        .with_columns(
            gaps_since_last_order=pl.col("days_since_last_order")
            / pl.when(pl.col("mean_gap_days") > 0).then(pl.col("mean_gap_days"))
        )
        .select("customer_id", *(pl.col(name).cast(pl.Float64) for name in FEATURES))
        .collect()
    )


def churn_labels(orders: pl.DataFrame, cutoff: datetime, windows: ChurnWindows | None = None) -> pl.DataFrame:
    """Whether customers of the population at a cut-off churned: customer_id, churned (1 for no order in the label
    window).

    All of the window must be observed: the caller answers for ``orders`` being complete up to its end.
    """
    check_orders(orders, cutoff)
    windows = windows or ChurnWindows()
    at, day = pl.col("ordered_at"), timedelta(days=1)
    population = orders.filter(at < cutoff, at >= cutoff - windows.active_days * day).select("customer_id").unique()
    stayed = orders.filter(at >= cutoff, at < cutoff + windows.label_days * day).select("customer_id").unique()
    return (
        population.join(stayed.with_columns(churned=pl.lit(0, pl.Int8)), on="customer_id", how="left")
        .with_columns(pl.col("churned").fill_null(1))
        .sort("customer_id")
    )


def churn_snapshots(
    orders: pl.DataFrame, cutoffs: tuple[datetime, ...], windows: ChurnWindows | None = None
) -> pl.DataFrame:
    """Snapshots stacked over cut-offs: customer_id, cutoff, churned and :data:`FEATURES`, a row per customer and
    cut-off.
    """
    stacked = [
        churn_features(orders, cutoff, windows)
        .join(churn_labels(orders, cutoff, windows), on="customer_id", maintain_order="left")
        .select("customer_id", pl.lit(cutoff).alias("cutoff"), "churned", *FEATURES)
        for cutoff in cutoffs
    ]
    if not stacked:
        raise ValueError("There is no cut-off to take a snapshot at.")
    return pl.concat(stacked)


@dataclass(frozen=True)
class ChurnCutoffs:
    """When models are trained and when they are tested."""

    train: tuple[datetime, ...]
    test: datetime


def churn_cutoffs(
    observed_from: datetime, observed_until: datetime, *, months: int = 6, windows: ChurnWindows | None = None
) -> ChurnCutoffs:
    """Cut-offs from the end of what is observed, backwards, a label window apart.

    The test's label window ends with the observations; the last training label window ends when the test's begins, so
    that no training label tells of the test's time. At most ``months`` training cut-offs, and none before customers
    have been observed for the population's window; so there may be none.
    """
    windows = windows or ChurnWindows()
    step, least = timedelta(days=windows.label_days), timedelta(days=windows.active_days)
    test = observed_until - step
    train = (test - (back + 1) * step for back in range(months))
    return ChurnCutoffs(tuple(sorted(cutoff for cutoff in train if cutoff - observed_from >= least)), test)
