"""Input that can't be right, or says too little: a reason in the row or a named check, never a wrong number.

One world of two loads holds all cases; each test names the rows that people read. That the same comes out built after each
load is proven by the stories.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pipelines.ingestion.load import ingest_files
from pipelines.lake.connection import Lake
from pipelines.settings import load_settings
from pipelines.transformation.build import build
from quality.checks import CheckResult
from quality.suites import campaign_performance, fct_ad_spend_daily, service_uptime
from quality.validation import run_suites
from tests.oracles.world import Load, World, hours, id_of, midnight

AS_OF = midnight("2025-06-15") + hours(18)
RESTATED_AT = AS_OF
STATED_AT = AS_OF - timedelta(days=3)
DAY = date(2025, 6, 10)
RESTATED_DAYS = 28

Ledger = dict[tuple[date, str], Decimal]
"""Day and platform to spend."""

pytestmark = pytest.mark.slow


def world() -> World:
    """Campaigns of which each has something wrong with its money, and a clock that runs ahead."""
    w = World([Load(STATED_AT), Load(RESTATED_AT)])
    at = midnight(str(DAY))
    w.campaign("unpaid", platform="email", budget=50)
    w.campaign("foreign", platform="meta")
    w.campaign("negative", platform="linkedin")
    w.campaign("restated", platform="google")
    for campaign in ("unpaid", "foreign", "negative"):
        w.sent(f"{campaign}-user", campaign, at)
        w.clicked(f"{campaign}-user", campaign, at + hours(1))
        w.purchased(f"{campaign}-user", at + hours(2), order=campaign, value=30)
        w.converted(f"{campaign}-user", campaign, at + hours(2), order=campaign, value=30)
    w.spend("nobody-knows", DAY, 40, platform="tiktok", impressions=1000, clicks=10)
    w.spend("foreign", DAY, 100, platform="meta", currency="EUR")
    w.spend("foreign", DAY, 50, platform="google", currency="GBP")
    w.spend("negative", DAY, 12, platform="linkedin")
    w.probe("right", "shop", STATED_AT - hours(1))
    for (day, platform), amount in statements(STATED_AT).items():
        w.spend("restated", day, float(amount), platform=platform)
    w.into(1)
    w.spend("negative", DAY, -3, platform="linkedin")
    w.probe("in-time", "shop", RESTATED_AT - hours(1))
    w.probe("ahead", "mart", RESTATED_AT + timedelta(days=300))
    for (day, platform), amount in statements(RESTATED_AT).items():
        w.spend("restated", day, float(amount), platform=platform)
    return w


def statements(reported_at: datetime) -> Ledger:
    """What two platforms report of the last 28 days: the day's number, and a little more of some days at the second time."""
    days = [reported_at.date() - timedelta(days=n) for n in range(RESTATED_DAYS)]
    more = Decimal("0.25") if reported_at == RESTATED_AT else Decimal(0)
    return {(day, "snapchat"): Decimal(day.day) + (more if day.day % 3 == 0 else 0) for day in days} | {
        (day, "pinterest"): Decimal(5) - (more if day.day % 7 == 0 else 0) for day in days
    }


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    folder: Path = tmp_path_factory.mktemp("bad_input")
    lake = Lake(load_settings({"TRUELIFT_HOME": str(folder / "home")}).prepare())
    for number, load in enumerate(world().loads, start=1):
        ingest_files(lake, load.write(folder, number), ingested_at=load.ingested_at)
    build(lake.settings, AS_OF).raise_if_failed()
    return lake


@pytest.fixture(scope="module")
def checks(lake: Lake) -> dict[str, CheckResult]:
    """What the checks say that these cases are about."""
    with lake.reader() as connection:
        suites = campaign_performance.SUITE, fct_ad_spend_daily.SUITE, service_uptime.SUITE
        return {result.name: result for result in run_suites(connection, suites, AS_OF)}


def select(lake: Lake, sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
    with lake.reader() as connection:
        return connection.execute(sql, parameters).fetchall()


def month_of(lake: Lake, campaign: str, *columns: str) -> tuple[Any, ...]:
    """The campaign's row of the last 30 days."""
    sql = f"select {', '.join(columns)} from lake.marts.campaign_performance where campaign_id = $id and window_label = '30d'"
    return select(lake, sql, id=id_of(campaign))[0]


def in_the_long_table(lake: Lake, breakdown: str, key: str) -> dict[str, tuple[float | None, str | None]]:
    """By metric the group's value of the last 30 days, or of a day's probes, with the reason for NULL."""
    sql = """
        select metric_id, value, null_reason from lake.marts.metric_values
        where breakdown = $breakdown and breakdown_key = $key and window_label in ('30d', '24h')
    """
    return {metric: tuple(rest) for metric, *rest in select(lake, sql, breakdown=breakdown, key=key)}


def test_a_campaign_without_spend_costs_an_unknown_sum(lake: Lake) -> None:
    row = month_of(lake, "unpaid", "spend", "revenue", "roas", "roas_null_reason", "cac_null_reason", "cpc_null_reason")
    assert row == (None, 30, None, "no_spend_reported", "no_spend_reported", "no_spend_reported")
    long = in_the_long_table(lake, "campaign", id_of("unpaid"))
    for metric in ("roas", "cac", "cpc", "budget_utilization"):
        assert long[metric] == (None, "no_spend_reported")
    assert long["conversion_rate"] == (100, None)


def test_spend_without_a_campaign_is_counted_and_named(lake: Lake, checks: dict[str, CheckResult]) -> None:
    row = month_of(lake, "nobody-knows", "name", "spend", "cpc", "roas", "cac", "cac_null_reason", "impressions")
    assert row == (None, 40, 4, 0, None, "zero_denominator", 1000)
    assert in_the_long_table(lake, "platform", "tiktok")["cpc"] == (4, None)
    found = checks["marts.campaign_performance.campaigns_have_names"]
    assert not found.passed
    assert found.sample == (f"campaign_id={id_of('nobody-knows')}",)


def test_a_negative_restatement_is_refused_and_the_earlier_statement_stays(lake: Lake) -> None:
    assert month_of(lake, "negative", "spend", "roas", "roas_null_reason") == (12, 2.5, None)
    refused = select(
        lake,
        "select reasons, raw_line from lake.raw.quarantine inner join lake.ops.load_log using (load_id) "
        "where target = 'ad_spend_daily'",
    )
    assert [reasons for reasons, _ in refused] == [["negative_amount"]]
    assert id_of("negative") in str(refused[0][1])
    lines = 1 + 2 * RESTATED_DAYS
    day = select(
        lake,
        "select lines, validation_percent from lake.marts.quality_levels "
        "where grain = 'day' and target = 'ad_spend_daily' and load_date = $day",
        day=RESTATED_AT.date(),
    )
    assert day == [(lines, pytest.approx(100 * (lines - 1) / lines))]


def test_two_currencies_without_a_rate_are_not_added_up(lake: Lake, checks: dict[str, CheckResult]) -> None:
    row = month_of(
        lake, "foreign", "spend", "revenue", "roas", "roas_null_reason", "cac_null_reason", "cpc_null_reason"
    )
    assert row == (None, 30, None, "missing_rate", "missing_rate", "missing_rate")
    for group in (("campaign", id_of("foreign")), ("overall", "all"), ("platform", "google")):
        long = in_the_long_table(lake, *group)
        assert long["roas"] == long["cpc"] == (None, "missing_rate")
    stated = "select platform, stated_spend, currency, spend, is_missing_rate from lake.marts.fct_ad_spend_daily"
    assert select(lake, f"{stated} where campaign_id = $id order by platform", id=id_of("foreign")) == [
        ("google", 50, "GBP", None, True),
        ("meta", 100, "EUR", None, True),
    ]
    found = checks["marts.fct_ad_spend_daily.every_amount_has_a_rate"]
    assert not found.passed
    assert [row.split(",")[0] for row in found.sample] == ["currency=EUR", "currency=GBP"]


def test_a_clock_that_runs_ahead_has_no_uptime(lake: Lake, checks: dict[str, CheckResult]) -> None:
    assert in_the_long_table(lake, "service", "mart")["uptime_percent"] == (None, "clock_skew")
    assert in_the_long_table(lake, "overall", "all")["uptime_percent"] == (None, "clock_skew")
    assert in_the_long_table(lake, "service", "shop")["uptime_percent"] == (100, None)
    found = checks["marts.service_uptime.clocks_do_not_run_ahead"]
    assert not found.passed
    assert [row.split(",")[0] for row in found.sample] == ["breakdown_key=mart"]


def test_what_is_wrong_stops_nothing_that_is_right(checks: dict[str, CheckResult]) -> None:
    assert [result.name for result in checks.values() if result.blocks] == []


def test_a_restatement_replaces_and_the_earlier_one_stays_readable(lake: Lake) -> None:
    """Of the days that both deliveries cover, and of those that only one does."""
    first, second = statements(STATED_AT), statements(RESTATED_AT)
    sql = """
        select event_date, platform, sum(spend) from lake.marts.fct_ad_spend_daily where campaign_id = $id group by all
    """
    shown = {(day, platform): spend for day, platform, spend in select(lake, sql, id=id_of("restated"))}
    assert shown == first | second
    totals = "select event_date, spend from lake.marts.campaign_performance_daily where campaign_id = $id"
    by_day = dict(select(lake, totals, id=id_of("restated")))
    assert by_day == {
        day: sum(amount for (of, _), amount in shown.items() if of == day) for day in {day for day, _ in shown}
    }
    earlier = {key for key in first.keys() & second.keys() if first[key] != second[key]}
    assert len(earlier) == 11
    history = """
        select date, platform, spend, valid_from, valid_to from lake.raw.ad_spend_daily
        where campaign_id = $id and valid_to is not null
    """
    between = STATED_AT.replace(tzinfo=None), RESTATED_AT.replace(tzinfo=None)
    assert {tuple(row) for row in select(lake, history, id=id_of("restated"))} == {
        (*key, first[key], *between) for key in earlier
    }


def test_whoever_looks_at_an_instant_sees_what_was_stated_then(lake: Lake) -> None:
    sql = """
        select date, platform, spend from lake.raw.ad_spend_daily
        where campaign_id = $id and valid_from <= $at and (valid_to is null or valid_to > $at)
    """
    for instant, stated in (
        (STATED_AT, statements(STATED_AT)),
        (RESTATED_AT, statements(STATED_AT) | statements(RESTATED_AT)),
    ):
        rows = select(lake, sql, id=id_of("restated"), at=instant.replace(tzinfo=None))
        assert {(day, platform): spend for day, platform, spend in rows} == stated
