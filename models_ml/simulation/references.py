"""The reference inputs of a simulated company (specification 01-events.md), as frames in the shape of their CSV files."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl

from models_ml.simulation.campaigns import TYPES
from models_ml.simulation.catalog import CATEGORIES, PRODUCTS_PER_CATEGORY, STORES_PER_REGION
from models_ml.simulation.company import Company
from models_ml.simulation.customers import CURRENCIES, PATTERNS, REGIONS, TIMEZONES
from models_ml.simulation.ids import Array
from models_ml.simulation.ledger import Ledger
from models_ml.simulation.lines import MARKETERS, campaign_ids, creative_ids, order_ids, product_ids, user_ids
from models_ml.simulation.world import DAY_MS

_HEADLINES = ("Your next favorite is here", "A little thank-you", "Only this week", "Picked for you", "Come and see")
_BODIES = ("Save on what you love.", "Members see it first.", "Because you have been with us.", "While it lasts.")
_ACTIONS = ("Shop now", "Get the offer", "See more", "Redeem")


def references(company: Company, ledger: Ledger, acquired_by: Array) -> dict[str, pl.DataFrame]:
    """All reference inputs but the order items, which grow with the events and are written with them."""
    return {
        "campaigns": _campaigns(company),
        "creatives": _creatives(company),
        "customers": _customers(company, acquired_by),
        "products": _products(company),
        "ad_spend_daily": _ad_spend(company, ledger),
        "fx_rates": _rates(company),
    }


def order_items(company: Company, items: pl.DataFrame) -> pl.DataFrame:
    """The items of orders, with ids for numbers."""
    stores = [f"store-{region.lower()}-{number}" for region in REGIONS for number in range(STORES_PER_REGION)]
    return pl.DataFrame(
        {
            "order_id": order_ids(company, items["order"].to_numpy()),
            "product_id": pl.Series(product_ids(company)).gather(items["product"]),
            "quantity": items["quantity"],
            "unit_price": items["unit_price"],
            "unit_cost": items["unit_cost"],
            "currency": pl.Series(CURRENCIES).gather(items["money"]),
            "store_id": pl.Series([*stores, None]).gather(items["store"]),
        }
    )


def _campaigns(company: Company) -> pl.DataFrame:
    campaigns, kinds, count = company.campaigns, tuple(TYPES), len(company.campaigns)
    currency = media_currency(company)
    rate = company.catalog.rates[:, currency].mean(axis=0)
    days = np.maximum((campaigns.end - campaigns.start) / DAY_MS, 1)
    names = [f"{kinds[kind].replace('_', ' ').title()} {index + 1}" for index, kind in enumerate(campaigns.kind)]
    return pl.DataFrame(
        {
            "campaign_id": campaign_ids(company),
            "name": names,
            "campaign_type": [kinds[kind] for kind in campaigns.kind],
            "platform": list(campaigns.platform),
            "status": list(campaigns.status),
            "budget": (campaigns.budget / rate).round(2),
            "daily_budget": (campaigns.budget / rate / days).round(2),
            "currency": [CURRENCIES[code] for code in currency],
            "start_date": _dates(campaigns.start),
            "end_date": _dates(campaigns.end),
            "target_segment": [PATTERNS[target] for target in campaigns.target],
            "min_age": [18 if index % 4 == 0 else None for index in range(count)],
            "created_by": [MARKETERS[index % len(MARKETERS)] for index in range(count)],
            "holdout_share": [float(share) if share > 0 else None for share in campaigns.holdout_share],
        },
        schema_overrides={
            **dict.fromkeys(("name", "campaign_type", "platform", "status", "currency"), pl.String),
            **dict.fromkeys(("target_segment", "created_by"), pl.String),
            "min_age": pl.Int64,
            "holdout_share": pl.Float64,
        },
    )


def _creatives(company: Company) -> pl.DataFrame:
    number = np.arange(len(company.campaigns.creative_appeal))
    campaign = np.repeat(np.arange(len(company.campaigns)), company.campaigns.creatives)
    return pl.DataFrame(
        {
            "creative_id": creative_ids(company),
            "campaign_id": campaign_ids(company).gather(campaign),
            "headline": pl.Series(_HEADLINES).gather(number % len(_HEADLINES)),
            "body": pl.Series(_BODIES).gather(number % len(_BODIES)),
            "cta": pl.Series(_ACTIONS).gather(number % len(_ACTIONS)),
        }
    )


def _customers(company: Company, acquired_by: Array) -> pl.DataFrame:
    people = company.customers
    return pl.DataFrame(
        {
            "user_id": user_ids(company)[: len(people)],
            "signup_date": _dates(people.signed_up),
            "first_campaign_id": campaign_ids(company).extend_constant(None, 1).gather(acquired_by),
            "region": pl.Series(REGIONS).gather(people.region.astype(np.int64)),
            "birth_year": people.birth_year,
            "is_minor": people.birth_year > company.world.first_day.year - 18,
            "timezone": pl.Series(TIMEZONES).gather(people.region.astype(np.int64)),
        }
    )


def _products(company: Company) -> pl.DataFrame:
    number = np.arange(company.catalog.products)
    category = [CATEGORIES[index // PRODUCTS_PER_CATEGORY] for index in number]
    return pl.DataFrame(
        {
            "product_id": product_ids(company),
            "name": [f"{name.title()} {index % PRODUCTS_PER_CATEGORY + 1}" for index, name in enumerate(category)],
            "category": category,
            "unit_cost": company.catalog.unit_cost,
            "currency": [CURRENCIES[0]] * len(number),
        }
    )


def _ad_spend(company: Company, ledger: Ledger) -> pl.DataFrame:
    """What the platforms report: paid media with their own counts, owned channels with the cost of sending."""
    campaigns, world = company.campaigns, company.world
    spend = campaigns.spend + ledger.sends * campaigns.send_cost[:, None]
    campaign, day = np.nonzero(spend)
    paid = campaigns.is_paid[campaign]
    currency = media_currency(company)[campaign]
    rate = company.catalog.rates[day, currency]
    clicks = np.rint(ledger.paid_clicks[campaign, day] * campaigns.reported_clicks[campaign]).astype(np.int64)
    claim = campaigns.reported_conversions[campaign]
    midnight = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=world.start_ms)
    reported = [min(midnight + timedelta(days=int(index) + 1, hours=6), world.end.astimezone(UTC)) for index in day]
    figures = pl.DataFrame(
        {
            "impressions": np.rint(clicks / campaigns.click_rate[campaign]).astype(np.int64),
            "clicks": clicks,
            "spend": (spend[campaign, day] / rate).round(4),
            "conversions": (ledger.conversions[campaign, day] * claim).round(1),
            "revenue": (ledger.revenue[campaign, day] * claim / rate).round(2),
        }
    )
    own = [
        pl.when(pl.Series(paid)).then(name).alias(name) for name in ("impressions", "clicks", "conversions", "revenue")
    ]
    return figures.with_columns(own).select(
        campaign_ids(company).gather(campaign).alias("campaign_id"),
        pl.Series("date", [world.first_day + timedelta(days=int(index)) for index in day], dtype=pl.Date),
        pl.Series("platform", [campaigns.platform[index] for index in campaign], dtype=pl.String),
        *(pl.col(name) for name in figures.columns),
        pl.Series("currency", [CURRENCIES[code] for code in currency], dtype=pl.String),
        pl.Series("reported_at", [f"{instant:%Y-%m-%dT%H:%M:%SZ}" for instant in reported], dtype=pl.String),
    )


def _rates(company: Company) -> pl.DataFrame:
    rows = [
        (day, CURRENCIES[code], float(rates[code]))
        for day, rates in company.catalog.quoted
        for code in range(1, len(CURRENCIES))
    ]
    return pl.DataFrame(rows, schema={"date": pl.Date, "currency": pl.String, "rate": pl.Float64}, orient="row")


def media_currency(company: Company) -> Array:
    """The currency in which each campaign is budgeted and billed: one platform bills in another than the base."""
    billed = [CURRENCIES.index("EUR") if platform == "linkedin" else 0 for platform in company.campaigns.platform]
    return np.array(billed, dtype=np.int64)


def _dates(milliseconds: Array) -> list[date]:
    epoch = date(1970, 1, 1)
    return [epoch + timedelta(days=int(day)) for day in milliseconds // DAY_MS]
