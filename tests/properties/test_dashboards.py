"""The modules of the dashboard against their oracle, on a crowd that shops, and that marketers watch."""

from __future__ import annotations

import csv
import json
import math
import random
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from models_ml.simulation import World as Company
from models_ml.simulation import write_company
from pipelines.ingestion.load import ingest_files
from pipelines.lake.audit import audit
from pipelines.lake.connection import Lake
from pipelines.lake.publishing import current_version, publish
from pipelines.settings import PROJECT_DIR, load_settings
from pipelines.transformation.build import build, manifest_path
from quality.contracts import load_contract
from tests.oracles.customers_oracle import CustomersOracle
from tests.oracles.dashboards_oracle import DashboardsOracle, Row, Rows
from tests.oracles.ingestion_oracle import IngestionOracle
from tests.oracles.metrics_oracle import Key, MetricsOracle, MetricValue, freshness
from tests.oracles.references import References
from tests.oracles.world import World, hours, id_of
from tests.properties.crowds import DAYS, FIRST_DAY, crowd

CARDS = {"roas", "incrementality_percent", "cac", "ltv", "open_rate"}
MODULES = {
    "executive_kpis",
    "campaign_leaderboard",
    "segment_summary",
    "campaign_detail",
    "campaign_detail_segments",
    "campaign_detail_hourly",
    "campaign_detail_frequency",
    "creative_breakdown",
    "conversion_funnel",
    "engagement_heatmap",
    "roi_deep_dive",
    "roi_economics",
    "system_health",
    "action_center",
    "compliance_audit_log",
}


class Shown(NamedTuple):
    """A published world with everything that says what must be in it."""

    lake: Lake
    oracle: DashboardsOracle
    lines: IngestionOracle
    values: Mapping[Key, MetricValue]
    as_of: datetime


def watched_crowd() -> World:
    """A crowd that also visits the shop, fills carts, and gets campaigns from marketers who act on recommendations."""
    world, dice = crowd(5), random.Random(5)
    for number in range(700):
        world.into(number % len(world.loads))
        at = FIRST_DAY + dice.choice([hours(12 * n + dice.choice([0, 1, 2.5])) for n in range(2 * DAYS)])
        user = f"user-{dice.randrange(14)}"
        if dice.random() < 0.6:
            world.event("user_engaged", user, at, engagement_type="app_open")
        else:
            cart: dict[str, Any] = {"cart_id": user, "cart_value": 1, "is_cleared": dice.choice([None, True, False])}
            world.event("cart_updated", user, at, **cart)
    world.into(len(world.loads) - 1)
    for number in range(60):  # the last week, which the crowd does not reach
        user, campaign, at = f"user-{number % 14}", f"campaign-{number % 5}", world.as_of - hours(2.5 * number)
        world.sent(user, campaign, at, segment="A")
        if number % 2:
            world.clicked(user, campaign, at + hours(0.5), segment="A")
        if number % 4 == 1:
            bought = {"order": f"late-{number}", "value": number}
            world.purchased(user, at + hours(1), **bought)
            world.converted(user, campaign, at + hours(1), segment="A", **bought)
    for number in range(6):
        world.into(number % len(world.loads))
        at, campaign = FIRST_DAY + timedelta(days=number), {"campaign_id": id_of(f"campaign-{number}")}
        boss = {"marketer_id": f"marketer-{number % 2}"}
        world.event("campaign_created", "system", at, campaign_type="VIP", initial_budget=9, **campaign, **boss)
        world.event("campaign_launched", "system", at + hours(1), **campaign, **boss)
        world.event("campaign_paused", "marketer-9", at + hours(2), pause_reason="manual", **campaign)
        for later, role in enumerate(("cmo", "compliance")):
            visited = {"dashboard_section": "kpi", "user_role": role}
            world.event("dashboard_accessed", "marketer-1", at + hours(later), **visited)
        card = {"recommendation_id": id_of("card", number), "recommendation_type": "pause_campaign"}
        expires = world.as_of + hours(number - 2)
        stated = {"target_entity_id": campaign["campaign_id"], "expiration_time": expires.isoformat()}
        world.event("user_action_recommended", "system", at, **card, **(stated if number else {}))
        flagged = {"anomaly_id": id_of("flag", number), "metric_id": "roas", "anomaly_type": "drop"}
        severity = "critical" if number % 2 else "info"
        world.into(len(world.loads) - 1)
        for later in (0, 1):
            told_at = world.as_of - timedelta(days=number + 2) + hours(later)
            world.event("anomaly_detected", "system", told_at, anomaly_severity=severity, **flagged)
    moved = {"reallocation_id": id_of("move"), "from_campaign_id": id_of("campaign-1"), "amount": 5, "currency": "EUR"}
    moved |= {"to_campaign_id": id_of("campaign-2"), "ai_recommendation_id": id_of("card", 1)}
    world.event("budget_reallocated", "marketer-1", FIRST_DAY, **moved)
    return world


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """The crowd, built before its last load, and published with the increments of that."""
    folder = tmp_path_factory.mktemp("crowd")
    lake = Lake(load_settings({"TRUELIFT_HOME": str(folder / "home")}).prepare())
    world = watched_crowd()
    for number, load in enumerate(world.loads, start=1):
        ingest_files(lake, load.write(folder, number), ingested_at=load.ingested_at, backfill=load.backfill)
        if number >= len(world.loads) - 1:
            build(lake.settings, load.ingested_at).raise_if_failed()
    with lake.reader() as connection:
        version = current_version(connection)
    audited = audit(lake, as_of=world.as_of, run_id="crowd", version=version, scope="real_time")
    publish(lake, audited, world.as_of)
    lines, references = world.judged()
    events = list(lines.events.values())
    values = MetricsOracle(events, references, world.as_of).values()
    customers = CustomersOracle(events, references, world.as_of).values()
    return Shown(lake, DashboardsOracle(events, references, world.as_of), lines, values | customers, world.as_of)


def published(lake: Lake, table: str, keys: str, values: str, where: str = "true") -> Rows:
    """A published table as keys to values; its keys are unique."""
    with lake.reader() as connection:
        rows = connection.execute(f"select {keys}, {values} from lake.published.{table} where {where}").fetchall()
    width = len(keys.split(","))
    found = {tuple(map(_plain, row[:width])): row[width:] for row in rows}
    assert len(found) == len(rows)
    return found


def differences(found: Rows, expected: Rows) -> list[str]:
    """What differs, to be read; numbers to 1e-9."""
    assert expected, "nothing is expected"
    return [
        f"{key}: published {found.get(key)}, expected {expected.get(key)}"
        for key in sorted({*found, *expected}, key=str)
        if not _agree(found.get(key), expected.get(key))
    ][:40]


def _agree(one: Row | None, other: Row | None) -> bool:
    if one is None or other is None or len(one) != len(other):
        return False
    return all(_same(a, b) for a, b in zip(one, other, strict=True))


def _same(one: object, other: object) -> bool:
    if isinstance(one, int | float | Decimal) and isinstance(other, int | float | Decimal):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return _plain(one) == _plain(other)


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, int | float | Decimal) else str(value)


@pytest.mark.slow
def test_executive_kpis(shown: Shown) -> None:
    columns = "earlier_value, change_null_reason, value, null_reason, change_percent, days_off_target, daily_values"
    cards = published(shown.lake, "executive_kpis", "metric_id, window_label", columns)
    labels = {"1d", "7d", "30d", "90d", "ytd"}
    assert cards.keys() == {(metric, label) for metric in CARDS for label in labels}
    before = shown.oracle.kpis_before()
    assert (
        differences(
            published(shown.lake, "executive_kpis_before", "metric_id, window_label", "value, null_reason"), before
        )
        == []
    )
    targets = {"roas": (3.5, None), "cac": (None, 15), "open_rate": (25, None)}
    day = shown.as_of.date()
    for (metric, label), row in cards.items():
        earlier, reason, value, null_reason, change, off_target, daily = row
        window = "365d" if metric == "ltv" else str(label)
        expected = shown.values[str(metric), "overall", "all", "window", window, day]
        assert _same(value, expected.value) and null_reason == expected.null_reason
        if metric in targets:
            known = sorted(
                (key[5], found.value)
                for key, found in shown.values.items()
                if key[:4] == (metric, "overall", "all", "daily") and found.value is not None
            )
            low, high = targets[str(metric)]
            misses = [not (value >= low if low is not None else value <= high) for _, value in known]
            run = misses[::-1].index(False) if False in misses else len(misses)
            assert off_target == run
            days = 0 if label == "ytd" else int(str(label)[:-1])
            first = day.replace(month=1, day=1) if label == "ytd" else day - timedelta(days=days - 1)
            assert [*(daily or [])] == pytest.approx([value for at, value in known if at >= first])
        if metric != "incrementality_percent":
            then, why = before[metric, label]
            assert _same(earlier, then)
            assert (change is None) == (reason is not None)
            if value is not None and then:
                assert isinstance(then, float) and isinstance(value, float)
                assert change == pytest.approx(100 * (value - then) / abs(then))
            else:
                assert reason in (null_reason, why, "zero_denominator")


@pytest.mark.slow
def test_leaderboard_detail_segments_and_creatives_show_the_metrics(shown: Shown) -> None:
    day = shown.as_of.date()

    def value(metric: str, breakdown: str, key: object, label: object) -> float | None:
        row = shown.values.get((metric, breakdown, str(key), "window", str(label), day))
        return row.value if row else None

    board = published(
        shown.lake,
        "campaign_leaderboard",
        "campaign_id, window_label",
        "rank, roas, ctr, cac, incrementality_percent, revenue",
        "segment = 'all'",
    )
    for (campaign, label), row in board.items():
        for metric, found in zip(("roas", "ctr", "cac", "incrementality_percent"), row[1:5], strict=True):
            assert _same(found, value(metric, "campaign", campaign, label)), (metric, campaign, label)
    assert {campaign for campaign, _ in board} >= shown.oracle.references.campaigns.keys()
    for label in {label for _, label in board}:
        ranked = [row for (_, of), row in sorted(board.items(), key=lambda item: str(item[1][0])) if of == label]
        ranked.sort(key=lambda row: int(str(row[0])))
        assert [row[0] for row in ranked] == list(range(1, len(ranked) + 1))
        ratios = [-math.inf if row[1] is None else float(str(row[1])) for row in ranked]
        assert ratios == sorted(ratios, reverse=True)
    details = published(
        shown.lake, "campaign_detail", "campaign_id, window_label", "impressions, ctr, cpc, conversion_rate, roas"
    )
    for (campaign, label), row in details.items():
        for metric, found in zip(("impressions", "ctr", "cpc", "conversion_rate", "roas"), row, strict=True):
            assert _same(found, value(metric, "campaign", campaign, label)), (metric, campaign, label)
    for (segment, label), row in published(
        shown.lake, "segment_summary", "segment, window_label", "ctr, conversion_rate, ltv, avg_spend, customers"
    ).items():
        assert _same(row[0], value("ctr", "segment", segment, label))
        assert _same(row[1], value("conversion_rate", "segment", segment, label))
        assert _same(row[2], value("ltv", "segment", segment, "365d"))
        spent = shown.values["aov", "segment", str(segment), "window", str(label), day].numerator
        if row[3] is not None and spent is not None:
            assert row[3] == pytest.approx(spent / int(str(row[4])))
    creatives = published(
        shown.lake,
        "creative_breakdown",
        "creative_id, window_label",
        "impressions, ctr, conversion_rate, roas_null_reason",
    )
    assert creatives
    for (creative, label), row in creatives.items():
        for metric, found in zip(("impressions", "ctr", "conversion_rate"), row[:3], strict=True):
            assert _same(found, value(metric, "creative", creative, label))
        assert row[3] == "input_not_available_for_breakdown"


@pytest.mark.slow
def test_days_of_the_week_are_in_the_detail(shown: Shown) -> None:
    daily = published(
        shown.lake, "campaign_performance_daily", "campaign_id, event_date", "impressions, clicks, revenue"
    )
    first = shown.as_of.date() - timedelta(days=6)
    details = published(
        shown.lake,
        "campaign_detail",
        "campaign_id",
        "daily_dates, daily_impressions, daily_clicks",
        "window_label = '1d'",
    )
    assert any(row[0] for row in details.values())
    for (campaign,), (dates, impressions, clicks) in details.items():
        days = {str(day): row for (of, day), row in daily.items() if of == campaign and str(day) >= str(first)}
        assert [str(day) for day in dates or []] == sorted(days)
        assert list(impressions or []) == [days[day][0] for day in sorted(days)]
        assert list(clicks or []) == [days[day][1] for day in sorted(days)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "table", "keys", "values"),
    [
        (
            "hourly",
            "campaign_detail_hourly",
            "campaign_id, window_label, hour_of_day",
            "sent, opens, clicks, conversions, revenue",
        ),
        (
            "heatmap",
            "engagement_heatmap",
            "segment, window_label, weekday, hour_of_day",
            "hours_observed, sent, opens, clicks, percent_of_peak",
        ),
        (
            "frequencies",
            "campaign_detail_frequency",
            "campaign_id, window_label, frequency",
            "users, users_percent, avg_frequency",
        ),
        (
            "segments",
            "campaign_detail_segments",
            "campaign_id, segment, window_label",
            "users_reached, sent, clicks, conversions, revenue, users_clicked, users_converted",
        ),
        ("funnel", "conversion_funnel", "breakdown, breakdown_key, window_label, step", "users, users_at_step"),
        ("marketer_actions", "compliance_audit_log", "event_id", "marketer_id, action, campaign_id, amount, currency"),
        ("cards", "action_center", "card_kind, card_id", "state"),
    ],
)
def test_the_oracle_agrees(shown: Shown, method: str, table: str, keys: str, values: str) -> None:
    assert differences(published(shown.lake, table, keys, values), getattr(shown.oracle, method)()) == []


@pytest.mark.slow
def test_the_deep_dive_compares_the_arms(shown: Shown) -> None:
    lines = published(
        shown.lake,
        "roi_deep_dive",
        "breakdown_key, window_label, line",
        "with_campaign, without_campaign, increment, increment_percent",
        "breakdown = 'campaign'",
    )
    expected = shown.oracle.conversions_by_arm()
    measured = 0
    for (campaign, label, line), (with_campaign, without, increment, percent) in lines.items():
        if line == "conversions":
            bought, anyway = expected[campaign, label]
            assert _same(with_campaign, bought)
            if without is not None:
                measured += 1
                metric = shown.values[
                    "incrementality_percent", "campaign", str(campaign), "window", str(label), shown.as_of.date()
                ]
                assert _same(without, anyway) and _same(percent, metric.value)
                assert isinstance(bought, int) and isinstance(anyway, float)
                assert increment == pytest.approx(bought - anyway)
    economics = published(
        shown.lake,
        "roi_economics",
        "breakdown, breakdown_key, window_label",
        "incremental_conversions, incrementality_percent",
    )
    assert len(economics) >= len(expected)


@pytest.mark.slow
def test_roles_come_from_the_last_visit(shown: Shown) -> None:
    roles = published(shown.lake, "compliance_audit_log", "event_id", "marketer_id, user_role, user_role_null_reason")
    assert set(roles.values()) == {
        ("marketer-0", None, "no_role_recorded"),
        ("marketer-1", "compliance", None),
        ("marketer-9", None, "no_role_recorded"),
    }


@pytest.mark.slow
def test_system_health_says_what_is_known_and_what_is_not(shown: Shown) -> None:
    items = published(shown.lake, "system_health", "item", "value, null_reason")
    _, found = max((day, found) for (kind, day), found in freshness(shown.oracle.events).items() if kind == "all")
    assert items["last_event_minutes",][0] == pytest.approx((shown.as_of - found.newest) / timedelta(minutes=1))
    assert items["data_freshness_minutes",][0] == pytest.approx(found.p95_minutes)
    assert items["schema_validation_percent",][0] == 100
    assert items["failed_jobs",] == (None, "not_measured")
    assert all((value is None) == (reason is not None) for value, reason in items.values())


@pytest.mark.slow
def test_columns_are_those_that_are_described(shown: Shown) -> None:
    manifest = json.loads(manifest_path(shown.lake.settings).read_text())
    declared = {
        (node["schema"], node["name"]): set(node["columns"])
        for node in manifest["nodes"].values()
        if node["resource_type"] in ("model", "seed")
    }
    with shown.lake.reader() as connection:
        rows = connection.execute(
            "select schema_name, table_name, list(column_name) from duckdb_columns() where database_name = 'lake' group by all"
        ).fetchall()
    found = {(schema, table): set(columns) for schema, table, columns in rows if (schema, table) in declared}
    assert {key: columns ^ found[key] for key, columns in declared.items() if columns != found[key]} == {}


@pytest.mark.slow
def test_every_reason_for_null_is_explained(shown: Shown) -> None:
    with shown.lake.reader() as connection:
        columns = connection.execute(
            """select table_name, column_name from duckdb_columns()
                where database_name = 'lake' and schema_name = 'marts' and column_name like '%null_reason'"""
        ).fetchall()
        selects = [f"select {column} from lake.marts.{table}" for table, column in columns if table != "null_reasons"]
        query = f"({' union '.join(selects)}) except select null_reason from lake.marts.null_reasons"
        assert connection.execute(query).fetchall() == [(None,)]


def readme_selects() -> Iterator[str]:
    text = (PROJECT_DIR / "README.md").read_text()
    section = text.split("## What a dashboard selects")[1].split("\n## ")[0]
    yield from re.findall(r"^select .*?;", section, re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_every_module_is_one_select(shown: Shown) -> None:
    asked = set()
    with shown.lake.reader() as connection:
        connection.execute("use lake.published")
        for select in readme_selects():
            assert " join " not in select
            tables = re.findall(r"\bfrom (\w+)", select)
            assert len(tables) == 1
            assert connection.execute(select).description, select
            asked.update(tables)
    assert asked == MODULES


@pytest.mark.slow
def test_examples_of_the_metric_pages_are_what_the_oracles_say(tmp_path: Path) -> None:
    end = datetime(2025, 6, 30, 18, tzinfo=UTC)
    write_company(Company(end=end, customers=800, events=15_000), load_contract(), tmp_path)
    lines = IngestionOracle()
    for path in sorted(tmp_path.glob("events-*.jsonl")):
        lines.load(path.name, path.read_bytes(), end, backfill=True)
    references = References().read(sorted(tmp_path.glob("*.csv")))
    events = list(lines.events.values())
    values = MetricsOracle(events, references, end).values() | CustomersOracle(events, references, end).values()
    with (PROJECT_DIR / "docs" / "metrics" / "examples.csv").open(newline="", encoding="utf-8") as file:
        examples = {row["metric_id"]: row for row in csv.DictReader(file)}
    compared = 0
    for key, expected in sorted(values.items(), key=lambda item: item[0][5]):
        example = examples[key[0]]
        if (example["breakdown"], example["breakdown_key"], example["window_label"]) != (*key[1:3], key[4]):
            continue
        if key[3] == "daily" and key[5] != end.date():
            continue
        assert example["value"] == ("" if expected.value is None else f"{expected.value:.6g}"), key
        compared += 1
    others = {"attributed_revenue", "model_auc", "uptime_percent", "cost_per_query"}
    assert compared == len(examples) - len(others), "these have oracles of their own"
