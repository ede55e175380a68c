"""Reference inputs as the metrics oracle reads them: CSV files, upserted by key in the order in which they came."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path


@dataclass(frozen=True)
class Campaign:
    """What the oracle needs of a campaign's newest statement."""

    campaign_id: str
    campaign_type: str | None
    platform: str | None
    status: str
    budget: Decimal | None
    currency: str | None
    start_date: date | None
    end_date: date | None
    holdout_share: float | None


@dataclass(frozen=True)
class Spend:
    """What a platform reported for a campaign and day, newest statement."""

    campaign_id: str
    date: date
    platform: str
    impressions: int
    clicks: int
    spend: Decimal | None
    currency: str | None
    conversions: Decimal | None = None
    revenue: Decimal | None = None
    """What the platform claims."""


@dataclass(frozen=True)
class Cost:
    """What one unit of a product costs, and how many of it an order holds (of a product: None)."""

    unit_cost: Decimal | None
    currency: str | None
    quantity: Decimal | None = None


@dataclass
class References:
    """Campaigns, reported spend, rates to the base currency, signups and what goods cost."""

    base_currency: str = "USD"
    campaigns: dict[str, Campaign] = field(default_factory=dict)
    spend: dict[tuple[str, date, str], Spend] = field(default_factory=dict)
    rates: dict[tuple[str, date], Decimal] = field(default_factory=dict)
    customers: dict[str, date | None] = field(default_factory=dict)
    """User to day of signup."""
    products: dict[str, Cost] = field(default_factory=dict)
    items: dict[str, dict[str, Cost]] = field(default_factory=dict)
    """Order, then product."""

    def read(self, paths: Iterable[Path]) -> References:
        """Take in the CSV files that are reference inputs of the metrics by their names; leave other files alone."""
        for path in paths:
            with path.open(newline="") as file:
                rows = [{key: value or None for key, value in row.items()} for row in csv.DictReader(file)]
            self.upsert(path.stem, rows)
        return self

    def upsert(self, stem: str, rows: Iterable[Mapping[str, str | None]]) -> None:
        """Take in the rows of one file; a later row of a key replaces the earlier one."""
        for row in rows:
            if stem.startswith("campaigns"):
                campaign = _campaign(row)
                self.campaigns[campaign.campaign_id] = campaign
            elif stem.startswith("ad_spend_daily"):
                spend = _spend(row)
                if spend.spend is None or spend.spend >= 0:  # a negative amount is rejected, the old statement stays
                    self.spend[spend.campaign_id, spend.date, spend.platform] = spend
            elif stem.startswith("fx_rates"):
                self.rates[_text(row, "currency"), date.fromisoformat(_text(row, "date"))] = Decimal(_text(row, "rate"))
            elif stem.startswith("customers"):
                signup = row.get("signup_date")
                self.customers[_text(row, "user_id")] = date.fromisoformat(signup) if signup else None
            elif stem.startswith("products"):
                self.products[_text(row, "product_id")] = _cost(row)
            elif stem.startswith("order_items"):
                self.items.setdefault(_text(row, "order_id").lower(), {})[_text(row, "product_id")] = _cost(row)

    def in_base_currency(self, amount: Decimal, currency: str | None, day: date) -> Decimal | None:
        """The amount by the rate of that day, else the latest earlier one; None when there is no such rate."""
        if currency in (None, self.base_currency):
            return amount
        known = [(rate_day, rate) for (of, rate_day), rate in self.rates.items() if of == currency and rate_day <= day]
        return (amount * max(known)[1]).quantize(Decimal("0.0001"), ROUND_HALF_UP) if known else None


def _campaign(row: Mapping[str, str | None]) -> Campaign:
    budget, start, end, share = row.get("budget"), row.get("start_date"), row.get("end_date"), row.get("holdout_share")
    return Campaign(
        campaign_id=_text(row, "campaign_id").lower(),
        campaign_type=row.get("campaign_type"),
        platform=row.get("platform"),
        status=(row.get("status") or "").lower(),
        budget=Decimal(budget) if budget else None,
        currency=row.get("currency"),
        start_date=date.fromisoformat(start) if start else None,
        end_date=date.fromisoformat(end) if end else None,
        holdout_share=float(share) if share else None,
    )


def _spend(row: Mapping[str, str | None]) -> Spend:
    spend, conversions, revenue = row.get("spend"), row.get("conversions"), row.get("revenue")
    return Spend(
        campaign_id=_text(row, "campaign_id").lower(),
        date=date.fromisoformat(_text(row, "date")),
        platform=_text(row, "platform"),
        impressions=int(row.get("impressions") or 0),
        clicks=int(row.get("clicks") or 0),
        spend=Decimal(spend) if spend else None,
        currency=row.get("currency"),
        conversions=Decimal(conversions) if conversions else None,
        revenue=Decimal(revenue) if revenue else None,
    )


def _cost(row: Mapping[str, str | None]) -> Cost:
    cost, quantity = row.get("unit_cost"), row.get("quantity")
    return Cost(Decimal(cost) if cost else None, row.get("currency"), Decimal(quantity) if quantity else None)


def _text(row: Mapping[str, str | None], name: str) -> str:
    value = row.get(name)
    assert value, f"{name} is empty in {row}"
    return value
