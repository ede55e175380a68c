"""The next best offer: which one, if any, is worth making to a customer now."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from models_ml.customers.frames import check_frame


def next_best_offers(candidates: pl.DataFrame, as_of: datetime) -> pl.DataFrame:
    """Per customer the offer with the largest probability × value − cost among those that may be made.

    ``candidates`` has one row per customer and possible offer: customer_id, offer, probability (that it is taken, 0 to
    1), value (of being taken), cost (of making it), cooldown_days (rest between two of them), last_offered_at (null if
    never). An offer may be made once its cooldown has passed at ``as_of``. Of equal ones the cheaper is made, then the
    first by name.

    Returns one row per customer, in order of the ids: customer_id, offer, expected_profit and outcome: ``offered``; or
    with offer and profit null ``cooling_down`` (all rest) or ``not_worthwhile`` (none that may be made has a profit
    above 0). Raises ValueError for candidates that are not of this form.
    """
    numbers = ("probability", "value", "cost", "cooldown_days")
    check_frame(
        candidates,
        "candidates",
        key=("customer_id", "offer"),
        numbers=numbers,
        optional_instants=("last_offered_at",),
        as_of=as_of,
    )
    if not candidates["probability"].is_between(0, 1).all():
        raise ValueError("candidates.probability has values outside 0 to 1.")
    since = pl.lit(as_of) - pl.col("last_offered_at")
    is_ready = since.is_null() | (since >= pl.col("cooldown_days") * timedelta(days=1))
    profit = pl.col("probability") * pl.col("value") - pl.col("cost")
    is_made = pl.col("is_ready") & (pl.col("profit") > 0)
    return (
        candidates.lazy()
        .with_columns(is_ready=is_ready, profit=profit)
        .with_columns(is_made=is_made)
        .sort("customer_id", "is_made", "profit", "cost", "offer", descending=[False, True, True, False, False])
        .group_by("customer_id", maintain_order=True)
        .agg(pl.col("offer", "profit", "is_made").first(), pl.col("is_ready").any().alias("any_ready"))
        .select(
            "customer_id",
            offer=pl.when("is_made").then("offer"),
            expected_profit=pl.when("is_made").then("profit"),
            outcome=pl.when("is_made")
            .then(pl.lit("offered"))
            .when("any_ready")
            .then(pl.lit("not_worthwhile"))
            .otherwise(pl.lit("cooling_down")),
        )
        .collect()
    )
