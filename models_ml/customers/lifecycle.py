"""Lifecycle: at which stage a customer stands at an instant (spec 03-customers)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import polars as pl

from models_ml.customers.frames import check_frame


class Stage(StrEnum):
    """Stages in the order in which a customer passes through them."""

    NEW = "NEW"
    ACTIVE = "ACTIVE"
    AT_RISK = "AT_RISK"
    INACTIVE = "INACTIVE"
    REACTIVATED = "REACTIVATED"


@dataclass(frozen=True)
class LifecycleRules:
    """Days after which stages begin or end."""

    new_days: int = 30
    at_risk_days: int = 45
    inactive_days: int = 90
    reactivated_days: int = 30

    def __post_init__(self) -> None:
        if not 0 < max(self.new_days, self.reactivated_days) < self.at_risk_days < self.inactive_days:
            raise ValueError(f"{self}: new_days and reactivated_days < at_risk_days < inactive_days must hold.")


def order_milestones(orders: pl.DataFrame, as_of: datetime, rules: LifecycleRules | None = None) -> pl.DataFrame:
    """The instants from which stages follow, per customer with an order before ``as_of``.

    ``orders`` has customer_id and ordered_at, in any order. Returns customer_id, first_order_at, last_order_at, and
    last_return_at: the latest order that came when the customer was INACTIVE (null when none did).
    """
    check_frame(orders, "orders", columns=("customer_id",), instants=("ordered_at",), as_of=as_of)
    inactive = timedelta(days=(rules or LifecycleRules()).inactive_days)
    at = pl.col("ordered_at")
    return (
        orders.lazy()
        .filter(at < as_of)
        .sort("customer_id", "ordered_at")
        .with_columns(gap=at.diff().over("customer_id"))
        .group_by("customer_id", maintain_order=True)
        .agg(
            first_order_at=at.first(),
            last_order_at=at.last(),
            last_return_at=at.filter(pl.col("gap") >= inactive).last(),
        )
        .collect()
    )


def lifecycle_stages(customers: pl.DataFrame, as_of: datetime, rules: LifecycleRules | None = None) -> pl.DataFrame:
    """The stage of each customer at ``as_of``; returns customer_id and stage.

    ``customers`` has one row per customer: customer_id, signed_up_at, and what :func:`order_milestones` gives
    (first_order_at, last_order_at, last_return_at; null where there is none). NEW lasts to the 30th day after the first
    order or, without one, after signing up; AT_RISK and INACTIVE begin with the 45th and 90th day without an order,
    counted from the sign-up where there was none; REACTIVATED lasts to the 30th day after an order that ended
    INACTIVE; the rest is ACTIVE. Who signed up long ago and orders for the first time is NEW, not REACTIVATED.

    Raises ValueError for customers with neither a sign-up nor an order, and for instants after ``as_of``.
    """
    instants = ("signed_up_at", "first_order_at", "last_order_at", "last_return_at")
    check_frame(customers, "customers", key=("customer_id",), optional_instants=instants, as_of=as_of)
    rules = rules or LifecycleRules()
    begun = pl.coalesce("first_order_at", "signed_up_at")
    latest = pl.coalesce("last_order_at", "signed_up_at")
    if customers.select(begun.is_null().any()).item():
        raise ValueError("customers has rows with neither signed_up_at nor first_order_at; drop them.")
    if customers.select(pl.any_horizontal((pl.col(instant) > as_of).any() for instant in instants)).item():
        raise ValueError(f"customers has instants after as_of {as_of}; give what was known then.")

    since_latest, since_begun = pl.lit(as_of) - latest, pl.lit(as_of) - begun
    since_return = pl.lit(as_of) - pl.col("last_return_at")
    stage = (
        pl.when(since_latest >= timedelta(days=rules.inactive_days))
        .then(pl.lit(Stage.INACTIVE))
        .when(since_latest >= timedelta(days=rules.at_risk_days))
        .then(pl.lit(Stage.AT_RISK))
        .when(since_begun <= timedelta(days=rules.new_days))
        .then(pl.lit(Stage.NEW))
        .when(since_return <= timedelta(days=rules.reactivated_days))
        .then(pl.lit(Stage.REACTIVATED))
        .otherwise(pl.lit(Stage.ACTIVE))
    )
    return customers.select("customer_id", stage=stage)
