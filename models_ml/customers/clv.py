"""Customer lifetime value: purchases to expect (BG/NBD) times their value (Gamma-Gamma), discounted month by month."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from models_ml.customers.bg_nbd import BgNbd, fit_bg_nbd
from models_ml.customers.frames import check_frame, check_orders
from models_ml.customers.gamma_gamma import GammaGamma, fit_gamma_gamma
from models_ml.customers.likelihood import Convergence
from models_ml.reasons import NotComputable

DAYS_PER_MONTH = 365.25 / 12


@dataclass(frozen=True)
class LifetimeModel:
    """Both halves of a lifetime value, fitted on histories in days."""

    purchases: BgNbd
    order_value: GammaGamma

    def values(
        self, histories: pl.DataFrame, *, months: int = 12, monthly_discount_rate: float = 0.01, margin: float = 1.0
    ) -> pl.DataFrame:
        """What each customer is to bring from now on.

        ``histories`` as :func:`purchase_histories` gives them. Returns customer_id, expected_purchases (within the
        months), expected_order_value, and lifetime_value: the purchases of each month × order value × ``margin``,
        discounted to now from the month's end. A discount of 1 % a month is 12.7 % a year. Raises ValueError for less
        than a month, a discount rate of −1 or below, or histories that can't be.
        """
        if months < 1 or monthly_discount_rate <= -1:
            raise ValueError(f"{months} months at {monthly_discount_rate}: give a month or more, and a rate above −1.")
        _check_histories(histories)
        ends = np.arange(1, months + 1)
        until = self.purchases.expected_purchases(ends * DAYS_PER_MONTH, *_vectors(histories))
        value = self.order_value.expected_order_value(histories["frequency"], histories["mean_value"].fill_null(0))
        discounted = np.diff(until, prepend=0.0) @ (1 + monthly_discount_rate) ** -ends.astype(np.float64)
        return histories.select("customer_id").with_columns(
            expected_purchases=pl.Series(until[:, -1]),
            expected_order_value=pl.Series(value),
            lifetime_value=pl.Series(margin * value * discounted),
        )


LIFETIME_TYPES = (LifetimeModel, BgNbd, GammaGamma, Convergence)
"""What a stored lifetime model consists of, to be declared as trusted."""


def fit_lifetime_model(histories: pl.DataFrame) -> LifetimeModel | NotComputable:
    """Fit both halves on ``histories``, one row per customer as :func:`purchase_histories` gives them.

    NotComputable when either can't be fitted. Raises ValueError for histories that can't be.
    """
    _check_histories(histories)
    purchases = fit_bg_nbd(*_vectors(histories))
    if isinstance(purchases, NotComputable):
        return purchases
    repeated = histories.filter(pl.col("frequency") > 0, pl.col("mean_value") > 0)
    order_value = fit_gamma_gamma(repeated["frequency"], repeated["mean_value"])
    if isinstance(order_value, NotComputable):
        return order_value
    return LifetimeModel(purchases, order_value)


def purchase_histories(orders: pl.DataFrame, as_of: datetime) -> pl.DataFrame:
    """Histories as BG/NBD and Gamma-Gamma take them, of the customers with an order before ``as_of``.

    ``orders`` has one row per completed order, in any order: customer_id, ordered_at, amount. The orders of one day (of
    ordered_at's time zone) are one purchase. Returns customer_id, frequency (repeat purchases), recency and age (days
    from the first purchase to the last and to ``as_of``), and mean_value of the repeat purchases (null without one).
    """
    check_orders(orders, as_of)
    day = pl.col("ordered_at").dt.date()
    amounts = pl.col("amount")
    return (
        orders.lazy()
        .filter(pl.col("ordered_at") < as_of)
        .group_by("customer_id", day=day)
        .agg(amounts.sum())
        .sort("customer_id", "day")
        .group_by("customer_id", maintain_order=True)
        .agg(
            frequency=pl.len().cast(pl.Int64) - 1,
            recency=(pl.col("day").max() - pl.col("day").min()) / timedelta(days=1),
            age=(pl.lit(as_of).dt.date() - pl.col("day").min()) / timedelta(days=1),
            mean_value=amounts.slice(1).mean(),
        )
        .collect()
    )


def _check_histories(histories: pl.DataFrame) -> None:
    numbers = ("frequency", "recency", "age")
    check_frame(histories, "histories", columns=("mean_value",), key=("customer_id",), numbers=numbers)


def _vectors(histories: pl.DataFrame) -> tuple[pl.Series, pl.Series, pl.Series]:
    return histories["frequency"], histories["recency"], histories["age"]
