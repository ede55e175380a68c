"""What is true about a simulated company, kept while its events are made."""

from __future__ import annotations

from collections import Counter

import numpy as np
import polars as pl

from models_ml.simulation.company import Company
from models_ml.simulation.customers import PATTERNS
from models_ml.simulation.ids import Array
from models_ml.simulation.pool import Columns
from models_ml.simulation.world import DAY_MS

_PAIR_SUMS = (
    "treated",
    "holdout",
    "converted_treated",
    "converted_holdout",
    "expected_converted_treated",
    "expected_converted_holdout",
    "expected_incremental",
    "realized_incremental",
    "realized_incremental_revenue",
)


class Ledger:
    """Sums over campaigns (and behavior patterns or days); the only mutable record of the truth."""

    def __init__(self, company: Company) -> None:
        self._company = company
        campaigns, days = len(company.campaigns), company.world.days
        self.pairs = {name: np.zeros(campaigns * len(PATTERNS)) for name in _PAIR_SUMS}
        self.paid_clicks = np.zeros((campaigns, days), dtype=np.int64)
        self.sends = np.zeros((campaigns, days), dtype=np.int64)
        self.conversions = np.zeros((campaigns, days), dtype=np.int64)
        self.revenue = np.zeros((campaigns, days))
        self.caused_by_spend = np.zeros((campaigns, days))
        self.events_by_type: Counter[str] = Counter()
        self.orders = 0
        self.order_revenue = 0.0

    def enrolled(self, pairs: Columns, pattern: Array, baseline: Array, treated: Array) -> None:
        """Users who entered an owned campaign, and their chance to convert without and with the message."""
        cell = pairs["campaign"] * len(PATTERNS) + pattern
        holdout = pairs["is_holdout"]
        change = (pairs["with"].astype(np.int64) - pairs["without"]) * ~holdout
        sums = {
            "treated": ~holdout,
            "holdout": holdout,
            "converted_treated": pairs["converts"] & ~holdout,
            "converted_holdout": pairs["converts"] & holdout,
            "expected_converted_treated": treated * ~holdout,
            "expected_converted_holdout": baseline * holdout,
            "expected_incremental": (treated - baseline) * ~holdout,
            "realized_incremental": change,
            "realized_incremental_revenue": change * pairs["basket"],
        }
        for name, values in sums.items():
            self.pairs[name] += np.bincount(cell, values, minlength=len(self.pairs[name]))

    def happened(self, kind: str, columns: Columns) -> None:
        """Events of a part: counted by type, and as what the reports of platforms and costs are made from."""
        self.events_by_type[kind] += len(columns["time"])
        if kind == "campaign_clicked":
            paid = self._company.campaigns.is_paid[columns["campaign"]]
            self._count(self.paid_clicks, columns["campaign"][paid], columns["time"][paid])
        if kind == "campaign_delivered":
            sent = ~columns["is_holdout"]
            self._count(self.sends, columns["campaign"][sent], columns["time"][sent])

    def ordered(self, orders: Columns, revenue: Array) -> None:
        """Orders of one day with their revenue in the base currency."""
        self.orders += len(revenue)
        self.order_revenue += float(revenue.sum())
        credited = orders["campaign"] >= 0
        campaign, time = orders["campaign"][credited], orders["time"][credited]
        self._count(self.conversions, campaign, time)
        np.add.at(self.revenue, (campaign, self._day(time)), revenue[credited])
        paid = orders["spend_day"] >= 0
        np.add.at(self.caused_by_spend, (orders["campaign"][paid], orders["spend_day"][paid]), revenue[paid])

    def lift(self) -> pl.DataFrame:
        """One row per owned campaign and behavior pattern with someone enrolled: arms, conversions and true effect."""
        campaign, pattern = np.divmod(np.arange(len(self._company.campaigns) * len(PATTERNS)), len(PATTERNS))
        named = {"campaign": campaign, "pattern": np.array(PATTERNS, dtype=object)[pattern]}
        counts = {name: values.astype(np.int64) for name, values in self.pairs.items() if _is_count(name)}
        frame = pl.DataFrame(named | self.pairs | counts, schema_overrides={"pattern": pl.String})
        return frame.filter(pl.col("treated") + pl.col("holdout") > 0)

    def _count(self, table: Array, campaign: Array, time: Array) -> None:
        np.add.at(table, (campaign, self._day(time)), 1)

    def _day(self, time: Array) -> Array:
        return (time - self._company.world.start_ms) // DAY_MS


def _is_count(name: str) -> bool:
    return not name.startswith("expected") and not name.endswith("revenue")
