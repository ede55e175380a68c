"""The known effects are in the data: arms, lifts, response curves, churn, habits and seasons; and the references fit."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
import pytest

from models_ml.simulation import World, true_lift
from models_ml.simulation.campaigns import PAID_BASKET
from models_ml.simulation.company import Company, make_company
from models_ml.simulation.customers import HABITS, PATTERNS
from models_ml.simulation.pool import Columns, join
from models_ml.simulation.seasons import parts
from models_ml.simulation.stream import Stream
from models_ml.simulation.wording import Wording
from pipelines.lake.tables import REFERENCES
from quality.contracts import load_contract

from .conftest import END, Written
from .judge import parse, reasons

MONEY = 0.005


@pytest.fixture(scope="module")
def events(company: Written) -> pl.DataFrame:
    """The clean events of the written company, one per id, by an independent reader."""
    seen: dict[str, dict[str, Any]] = {}
    for _, _, line in company.lines():
        event = parse(line)
        if event and not reasons(line, load_contract(), END):
            kept = (
                "campaign_id",
                "creative_id",
                "order_id",
                "order_value",
                "is_holdout",
                "discount_amount",
                "currency",
            )
            stated = {name: event["properties"].get(name) for name in kept}
            names = ("event_type", "user_id", "timestamp")
            seen.setdefault(event["event_id"], {name: event[name] for name in names} | stated)
    return pl.DataFrame(list(seen.values()), infer_schema_length=None).with_columns(
        pl.col("timestamp").str.to_datetime("%Y-%m-%dT%H:%M:%S%.3fZ")
    )


def _reference(company: Written, name: str) -> pl.DataFrame:
    return pl.read_csv(company.folder / f"{name}.csv", infer_schema_length=None)


def test_references_have_the_columns_that_the_lake_expects(company: Written) -> None:
    for name in ("campaigns", "creatives", "customers", "products", "order_items", "ad_spend_daily", "fx_rates"):
        key, columns = REFERENCES[name]
        frame = _reference(company, name)
        assert frame.columns == list(columns)
        assert frame.height > 0
        assert frame.select(key).is_duplicated().sum() == 0


def test_events_refer_to_what_the_references_hold(company: Written, events: pl.DataFrame) -> None:
    campaigns, creatives = _reference(company, "campaigns"), _reference(company, "creatives")
    known = creatives.rename({"campaign_id": "of"}).select("creative_id", "of")
    assert set(events["campaign_id"].drop_nulls()) <= set(campaigns["campaign_id"])
    shown = events.filter(pl.col("creative_id").is_not_null()).join(known, on="creative_id", how="left")
    assert (shown["campaign_id"] == shown["of"]).all()
    people = set(_reference(company, "customers")["user_id"])
    assert set(events.filter(event_type="user_engaged")["user_id"]) <= people
    assert set(_reference(company, "customers")["first_campaign_id"].drop_nulls()) <= set(campaigns["campaign_id"])


def test_conversions_are_orders_with_the_same_value(company: Written, events: pl.DataFrame) -> None:
    orders = events.filter(event_type="user_purchased")
    conversions = events.filter(event_type="campaign_converted")
    both = conversions.join(orders, on="order_id", how="left")
    assert conversions.height > 100
    assert (both["order_value"] == both["order_value_right"]).all()
    assert (both["user_id"] == both["user_id_right"]).all()
    assert (both["timestamp"] >= both["timestamp_right"]).all()
    assert conversions["order_id"].is_unique().all()
    assert orders["order_id"].is_unique().all()
    assert orders.height == company.truth.totals["orders"]


def test_items_sum_to_their_orders(company: Written, events: pl.DataFrame) -> None:
    items = (
        _reference(company, "order_items")
        .group_by("order_id")
        .agg(total=(pl.col("quantity") * pl.col("unit_price")).sum(), currency=pl.col("currency").first())
    )
    orders = events.filter(event_type="user_purchased").join(items, on="order_id", how="full", suffix="_items")
    assert orders["order_id"].null_count() == orders["order_id_items"].null_count() == 0
    assert ((orders["order_value"] - orders["total"]).abs() < 1e-9).all()
    assert (orders["currency"].fill_null("USD") == orders["currency_items"]).all()


def test_order_revenue_in_the_base_currency(company: Written, events: pl.DataFrame) -> None:
    rates = _reference(company, "fx_rates").with_columns(pl.col("date").str.to_date()).sort("date")
    orders = events.filter(event_type="user_purchased").with_columns(date=pl.col("timestamp").dt.date()).sort("date")
    valued = orders.join_asof(rates, on="date", by="currency", check_sortedness=False)
    assert valued.filter(pl.col("currency").is_not_null() & pl.col("rate").is_null()).is_empty()
    revenue = (valued["order_value"] * valued["rate"].fill_null(1.0)).sum()
    assert revenue == pytest.approx(company.truth.totals["order_revenue"], abs=MONEY)


def test_a_user_is_in_one_arm_and_arms_count_as_the_truth_says(company: Written, events: pl.DataFrame) -> None:
    delivered = (
        events.filter(event_type="campaign_delivered")
        .group_by("campaign_id", "user_id")
        .agg(pl.col("is_holdout").n_unique().alias("arms"), pl.col("is_holdout").first())
    )
    assert (delivered["arms"] == 1).all()
    arms = delivered.group_by("campaign_id").agg(
        holdout=pl.col("is_holdout").sum(), treated=(~pl.col("is_holdout")).sum()
    )
    counted = {campaign: (treated, holdout) for campaign, holdout, treated in arms.rows()}
    pairs = events.filter(event_type="campaign_converted").select("campaign_id", "user_id")
    converted = pairs.join(delivered, on=["campaign_id", "user_id"])
    for campaign in company.truth.campaigns:
        if "lift" not in campaign or not campaign["lift"]["treated"]:
            continue
        lift, chosen = campaign["lift"], converted.filter(campaign_id=campaign["campaign_id"])
        assert counted[campaign["campaign_id"]] == (lift["treated"], lift["holdout"])
        assert (~chosen["is_holdout"]).sum() == lift["converted_treated"]
        assert chosen["is_holdout"].sum() == lift["converted_holdout"]
    assert sum(holdout for _, holdout in counted.values()) > 0


def test_the_lift_is_known_without_writing_anything(company: Written) -> None:
    assert true_lift(company.world, load_contract()).drop("campaign").equals(company.truth.lift.drop("campaign_id"))


def test_holdout_users_see_nothing(events: pl.DataFrame) -> None:
    delivered = events.filter(event_type="campaign_delivered")
    held = delivered.filter("is_holdout").select("campaign_id", "user_id").unique()
    for kind in ("campaign_viewed", "campaign_clicked", "message_bounced", "campaign_abandoned"):
        assert events.filter(event_type=kind).join(held, on=["campaign_id", "user_id"], how="semi").is_empty(), kind


def test_nobody_acts_before_signup_or_after_leaving(company: Written, events: pl.DataFrame) -> None:
    people = company.truth.customers.with_columns(pl.col("signed_up_at", "left_at").dt.replace_time_zone(None))
    acts = ("user_engaged", "user_purchased", "campaign_viewed", "campaign_clicked", "cart_updated")
    done = events.filter(pl.col("event_type").is_in(acts)).join(people, on="user_id")
    assert done.filter(pl.col("timestamp") >= pl.col("left_at")).is_empty()
    assert done.filter(pl.col("timestamp") < pl.col("signed_up_at").dt.offset_by("-15m")).is_empty()


def test_customers_leave_at_their_hazard(company: Written) -> None:
    world = World(end=END, days=60, customers=40_000, events=40_000)
    people = make_company(world).customers
    here = np.flatnonzero(people.signed_up < world.start_ms)
    for pattern in range(len(PATTERNS)):
        chosen = here[people.pattern[here] == pattern]
        hazard = people.hazard[chosen[-1]]
        days = (world.end_ms - world.start_ms) / 86_400_000
        expected = 1 - np.exp(-hazard * days)
        gone = (people.left[chosen] < world.end_ms).mean()
        assert abs(gone - expected) < 4.5 * np.sqrt(expected * (1 - expected) / len(chosen)), PATTERNS[pattern]


def test_reported_spend_is_the_known_one(company: Written) -> None:
    spend = _reference(company, "ad_spend_daily")
    campaigns = _reference(company, "campaigns")
    paid = spend.join(campaigns.select("campaign_id", pl.col("currency").alias("billed")), on="campaign_id")
    assert (paid["currency"] == paid["billed"]).all()
    known = {row["campaign_id"]: row["response"]["spend"] for row in company.truth.campaigns if "response" in row}
    dollars = (
        paid.filter(pl.col("clicks").is_not_null(), currency="USD").group_by("campaign_id").agg(pl.col("spend").sum())
    )
    assert dollars.height > 1
    for campaign, amount in dollars.rows():
        assert amount == pytest.approx(known[campaign], abs=MONEY)
    assert paid.filter(pl.col("clicks").is_null(), pl.col("impressions").is_not_null()).is_empty()


def _live(world: World, *kept: str) -> tuple[Company, Stream, dict[str, Columns]]:
    """A world's time without its lines: quick enough for effects that need many users."""
    company = make_company(world)
    wording = Wording(load_contract())
    stream, found = Stream(company, wording, "test"), defaultdict(list)
    for part in parts(world):
        for kind, columns in stream.advance(part, part.portion(world.clean_events))[0].items():
            if kind in kept:
                found[kind].append(columns)
    return company, stream, {kind: join(chunks) for kind, chunks in found.items()}


@pytest.fixture(scope="module")
def large() -> tuple[Company, Stream, dict[str, Columns]]:
    world = World(end=END, days=30, customers=60_000, events=1_500_000, campaigns=12, holdout_share=0.5, seed=3)
    return _live(world, "campaign_delivered", "campaign_converted")


def test_measured_lift_agrees_with_the_known_one(large: tuple[Company, Stream, dict[str, Columns]]) -> None:
    """Arms and conversions as an analyst sees them; the known lift lies within 4 standard errors, zero ones included."""
    company, stream, events = large
    users = len(company.customers)
    delivered, converted = events["campaign_delivered"], events["campaign_converted"]
    effects = stream.ledger.lift().drop("pattern").group_by("campaign").sum().sort("campaign")
    assert effects.height == 7
    for row in effects.to_dicts():
        sent = delivered["campaign"] == row["campaign"]
        arm = np.full(users, -1)
        arm[delivered["user"][sent]] = delivered["is_holdout"][sent]
        bought = np.unique(converted["user"][converted["campaign"] == row["campaign"]])
        treated, held = (arm == 0).sum(), (arm == 1).sum()
        if not held:
            continue
        rate, rate_without = (arm[bought] == 0).sum() / treated, (arm[bought] == 1).sum() / held
        error = np.sqrt(rate * (1 - rate) / treated + rate_without * (1 - rate_without) / held)
        assert abs(rate - rate_without - row["expected_incremental"] / row["treated"]) < 4 * error
        assert abs(row["realized_incremental"] - row["expected_incremental"]) < 4 * np.sqrt(row["converted_treated"])
        assert treated > 2_000


def test_expected_effects_are_lift_times_response(large: tuple[Company, Stream, dict[str, Columns]]) -> None:
    """Nearly: who leaves, or whose order would come after the end, is not moved; so a little less, never more."""
    company, stream, _ = large
    staying = stream.ledger.lift().filter(pl.col("pattern") != "INACTIVE", pl.col("treated") > 300)
    assert staying.height > 20
    for row in staying.to_dicts():
        full = company.campaigns.lift[row["campaign"]] * HABITS[row["pattern"]].response * row["treated"]
        low, high = sorted((0.7 * full, full))
        assert low - 1e-9 <= row["expected_incremental"] <= high + 1e-9


def test_some_campaigns_help_some_do_nothing_and_one_harms() -> None:
    company = make_company(World(end=END, campaigns=24))
    owned = company.campaigns.lift[~company.campaigns.is_paid]
    assert (owned > 0).sum() >= 8
    assert (owned == 0).sum() >= 2
    assert (owned < 0).sum() == 1


def test_caused_revenue_follows_the_response_curve(large: tuple[Company, Stream, dict[str, Columns]]) -> None:
    """Over all campaigns within 4 standard errors; orders are Poisson, their values gamma with shape 4."""
    company, stream, _ = large
    campaigns = company.campaigns
    spend = campaigns.spend[:, :-3]  # the last days' orders are still to come
    expected = (campaigns.scale[:, None] * spend ** campaigns.exponent[:, None] * (spend > 0)).sum(axis=1)
    caused = stream.ledger.caused_by_spend[:, :-3].sum(axis=1)
    paid = expected > 0
    error = PAID_BASKET * np.sqrt(expected[paid] / PAID_BASKET * 1.25)
    assert paid.sum() == 5
    assert (np.abs(caused[paid] - expected[paid]) < 4 * error).all()
    assert caused.sum() == pytest.approx(expected.sum(), rel=0.05)


def test_patterns_shop_by_their_habits() -> None:
    world = World(end=END, days=70, customers=3_000, events=400_000, campaigns=0)
    company, _, events = _live(world, "user_purchased")
    pattern = company.customers.pattern[events["user_purchased"]["user"]]
    value, time = events["user_purchased"]["order_value"], events["user_purchased"]["time"]
    weekend = (time // 86_400_000 + 3) % 7 >= 5
    share = {name: weekend[pattern == PATTERNS.index(name)].mean() for name in PATTERNS}
    assert share["WEEKEND_SHOPPER"] > 0.7
    assert share["FREQUENT_SHOPPER"] < 0.4
    spender = value[pattern == PATTERNS.index("HIGH_SPENDER")].mean()
    assert spender > 2 * value[pattern != PATTERNS.index("HIGH_SPENDER")].mean()
    frequent = pattern == PATTERNS.index("FREQUENT_SHOPPER")
    weeks = 10 * len(np.unique(events["user_purchased"]["user"][frequent]))
    assert frequent.sum() / weeks > 2
    category = events["user_purchased"]["category"]
    for user in np.unique(events["user_purchased"]["user"][pattern == PATTERNS.index("CATEGORY_FOCUSED")])[:50]:
        mine = category[events["user_purchased"]["user"] == user]
        assert len(mine) < 8 or np.bincount(mine).max() / len(mine) > 0.5


def test_weeks_years_and_days_have_their_rhythm() -> None:
    world = World(end=datetime(2025, 1, 1, tzinfo=UTC), days=366, customers=50, events=60_000, campaigns=2)
    _, _, events = _live(world, "user_engaged")
    time = events["user_engaged"]["time"].astype("datetime64[ms]")
    frame = pl.DataFrame({"time": time})
    by = {
        "month": frame.group_by(pl.col("time").dt.month()).len(),
        "weekday": frame.group_by(pl.col("time").dt.weekday()).len(),
        "hour": frame.group_by(pl.col("time").dt.hour()).len(),
    }
    count = {name: dict(table.rows()) for name, table in by.items()}
    assert count["month"][12] > 1.3 * count["month"][1]
    assert count["weekday"][6] > 1.1 * count["weekday"][2]
    assert count["hour"][19] > 3 * count["hour"][3]
