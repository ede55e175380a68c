"""The suites pass on a rightly built company, and each critical check sees the wrong number that it is there for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from models_ml.simulation import World, write_company
from pipelines.ingestion.load import ingest_files
from pipelines.lake.connection import Lake
from pipelines.settings import load_settings
from pipelines.transformation.build import build
from quality.checks import RowsCheck, run_real_time_checks
from quality.contracts import load_contract
from quality.suites import SUITES
from quality.validation import run_suites

AS_OF = datetime(2025, 6, 30, 18, tzinfo=UTC)
AN_EVENT = "event_id = (select min(event_id) from lake.{table})"
A_CAMPAIGN = "campaign_id = (select campaign_id from lake.marts.campaign_performance where window_label = '30d' order by impressions desc, campaign_id limit 1)"
A_METRIC = f"metric_id = 'ctr' and window_label = '30d' and breakdown = 'campaign' and replace(breakdown_key, '-', '') = (select replace(campaign_id::varchar, '-', '') from lake.marts.campaign_performance where {A_CAMPAIGN} limit 1)"
A_CUSTOMER = "user_id = (select min(user_id) from lake.{table})"

PROBES = """probe_id,service,started_at,status_code,response_ms
1,shop,2025-06-30T12:00:00Z,200,40
2,shop,2025-06-30T12:01:00Z,500,
3,mart,2025-06-29T12:00:00Z,200,1200
"""
QUERIES = """query_id,started_at,engine,name,seconds,cost
1,2025-06-30T12:00:00Z,dbt,a_model,3600,
2,2025-06-29T12:00:00Z,warehouse,a_dashboard,2,0.25
"""

WRONG = [
    ("ops.load_log", "update lake.{table} set rejected = rejected + 1 where load_id = 1", "every_line_is_accounted_for"),
    ("raw.quarantine", "delete from lake.{table} where source_line = (select min(source_line) from lake.{table})", "quarantine_holds_every_refused_line"),
    ("raw.events", f"delete from lake.{{table}} where {AN_EVENT}", "rows_equal_the_load_log"),
    ("raw.events", f"insert into lake.{{table}} from lake.{{table}} where {AN_EVENT}", "ids_are_unique"),
    ("raw.events", f"update lake.{{table}} set ingestion_lag_seconds = -301 where {AN_EVENT}", "lag_is_not_negative"),
    ("marts.fct_ad_spend_daily", "update lake.{table} set stated_spend = stated_spend + 0.01", "equals_the_ledger"),
    ("marts.fct_ad_spend_daily", "delete from lake.{table} where platform = (select min(platform) from lake.{table})", "equals_the_ledger"),
    ("marts.fct_ad_spend_daily", "update lake.{table} set spend = spend + 0.01", "campaign_performance_daily_has_all_spend"),
    ("marts.campaign_performance_daily", "update lake.{table} set spend = spend + 0.01", "campaign_performance_daily_has_all_spend"),
    ("marts.fct_orders", f"delete from lake.{{table}} where {AN_EVENT}", "has_every_order_once"),
    ("marts.fct_orders", f"update lake.{{table}} set stated_value = 2 * stated_value where {AN_EVENT}", "has_every_order_once"),
    ("marts.fct_orders", f"insert into lake.{{table}} from lake.{{table}} where {AN_EVENT}", "has_every_order_once"),
    ("marts.fct_orders", "update lake.{table} set is_first_order = true", "every_customer_has_one_first_order"),
    ("marts.fct_conversions", f"delete from lake.{{table}} where {AN_EVENT}", "campaign_performance_daily_has_all_conversions"),
    ("marts.fct_conversions", f"update lake.{{table}} set conversion_value = 2 * conversion_value where {AN_EVENT}", "campaign_performance_daily_has_all_conversions"),
    ("marts.campaign_performance", f"update lake.{{table}} set conversions = conversions + 1 where {A_CAMPAIGN}", "has_all_conversions"),
    ("intermediate.int_conversions", f"delete from lake.{{table}} where {AN_EVENT}", "has_all_conversions"),
    ("marts.fct_conversions", f"insert into lake.{{table}} from lake.{{table}} where {AN_EVENT}", "an_order_is_converted_once"),
    ("marts.fct_touchpoints", f"delete from lake.{{table}} where {AN_EVENT}", "campaign_performance_daily_has_all_touches"),
    ("marts.fct_touchpoints", f"insert into lake.{{table}} from lake.{{table}} where {AN_EVENT}", "touches_are_stored_events"),
    ("marts.campaign_performance", f"update lake.{{table}} set clicks = clicks + 1 where {A_CAMPAIGN}", "campaigns_sum_to_the_whole"),
    ("marts.campaign_performance", f"update lake.{{table}} set spend = spend + 0.01 where {A_CAMPAIGN}", "campaign_performance_has_all_spend"),
    ("marts.campaign_performance", f"update lake.{{table}} set ctr = 1.0001 * ctr where {A_CAMPAIGN}", "agrees_with_campaign_performance"),
    ("marts.campaign_performance", f"delete from lake.{{table}} where {A_CAMPAIGN}", "agrees_with_campaign_performance"),
    ("marts.campaign_performance", f"update lake.{{table}} set revenue = -1 where {A_CAMPAIGN}", "nothing_is_negative"),
    ("marts.campaign_performance_daily", f"update lake.{{table}} set sent = sent + 1 where {A_CAMPAIGN}", "sent_equals_the_events"),
    ("marts.metric_values", f"update lake.{{table}} set value = 1.0001 * value where {A_METRIC}", "value_follows_from_its_parts"),
    ("marts.metric_values", f"update lake.{{table}} set value = 1.0001 * value where {A_METRIC}", "agrees_with_campaign_performance"),
    ("marts.metric_values", f"update lake.{{table}} set numerator = numerator + 1 where {A_METRIC}", "windows_are_sums_of_their_days"),
    ("marts.metric_values", f"update lake.{{table}} set value = null where {A_METRIC}", "value_follows_from_its_parts"),
    ("marts.metric_values", f"update lake.{{table}} set value = 'inf' where {A_METRIC}", "value_follows_from_its_parts"),
    ("marts.metric_values", f"update lake.{{table}} set null_reason = 'none' where {A_METRIC}", "value_follows_from_its_parts"),
    ("marts.metric_values", f"update lake.{{table}} set as_of = as_of - interval 1 day where {A_METRIC}", "windows_end_with_the_run"),
    ("marts.metric_values", f"update lake.{{table}} set completeness_percent = 101 where {A_METRIC}", "completeness_is_a_percentage"),
    ("marts.metric_values", f"update lake.{{table}} set confidence_percent = -1 where {A_METRIC}", "confidence_is_a_percentage"),
    ("marts.attribution_revenue", "update lake.{table} set linear_revenue = linear_revenue + 0.0001 where breakdown_key = 'unattributed'", "models_credit_the_same_revenue"),
    ("marts.attribution_revenue", "update lake.{table} set spread_percent = -1", "agrees_with_metric_values"),
    ("marts.incrementality", "update lake.{table} set holdout_lift_pp = 2, holdout_lift_pp_low = 0, holdout_lift_pp_high = 1", "intervals_hold_their_values"),
    ("marts.incrementality", "update lake.{table} set p_value = 0.01, holdout_lift_pp_low = -1, holdout_lift_pp_high = 1", "intervals_and_p_values_agree"),
    ("marts.incrementality", "update lake.{table} set net_incremental_revenue = -0.5", "agrees_with_metric_values"),
    ("marts.metric_dictionary", "delete from lake.{table} where metric_id = 'roas'", "all_metrics_are_defined"),
    ("marts.metric_dictionary", "insert into lake.{table} from lake.{table} where metric_id = 'roas'", "ids_are_unique"),
    ("marts.metric_dictionary", "update lake.{table} set metric_id = 'RO AS' where metric_id = 'roas'", "ids_can_be_column_names"),
    ("marts.metric_dictionary", "update lake.{table} set healthy_max = 0 where metric_id = 'ctr'", "ranges_are_not_upside_down"),
    ("marts.metric_dictionary", "update lake.{table} set priority = 'P9' where metric_id = 'ctr'", "priorities_are_known"),
    ("marts.metric_dictionary", "update lake.{table} set definition = '?' where metric_id = 'ctr'", "every_metric_is_explained"),
    ("marts.metric_dictionary", "update lake.{table} set owner = null where metric_id = 'ctr'", "every_metric_has_an_owner"),
    ("marts.customer_value", f"delete from lake.{{table}} where {A_CUSTOMER}", "has_every_customer_with_all_orders"),
    ("marts.customer_value", f"update lake.{{table}} set lifetime_revenue = lifetime_revenue + 0.01 where {A_CUSTOMER}", "has_every_customer_with_all_orders"),
    ("marts.customer_value", "update lake.{table} set acquisition_cost = 1.001 * acquisition_cost", "acquisition_costs_are_what_campaigns_spent"),
    ("marts.segment_economics", "update lake.{table} set revenue = revenue + 0.01", "has_all_revenue"),
    ("marts.segment_economics", "delete from lake.{table} where orders > 0", "has_all_revenue"),
    ("marts.segment_economics", "update lake.{table} set ltv = 1.001 * ltv", "agrees_with_metric_values"),
    ("marts.payback_curve", "delete from lake.{table} where breakdown = 'platform' and month_number = 1", "acquired_customers_are_in_cohorts"),
    ("marts.payback_curve", "update lake.{table} set customers = customers + 1 where breakdown = 'overall'", "acquired_customers_are_in_cohorts"),
    ("marts.payback_curve", "update lake.{table} set month_number = month_number + 1", "curves_have_no_gap"),
    ("marts.cohort_retention", "delete from lake.{table} where signup_month = (select max(signup_month) from lake.{table})", "signups_are_in_cohorts"),
    ("marts.cohort_retention", "update lake.{table} set first_order_customers = first_order_customers + 1 where span = '1-30d'", "first_orders_accumulate"),
    ("marts.executive_kpis", "update lake.{table} set value = 1.0001 * value where metric_id = 'roas'", "cards_agree_with_metric_values"),
    ("marts.campaign_leaderboard", f"delete from lake.{{table}} where {A_CAMPAIGN} and segment = 'all' and window_label = '7d'", "has_all_campaigns"),
    ("marts.campaign_detail_segments", "update lake.{table} set sent = sent + 1 where window_label = '30d'", "segments_sum_to_the_campaign"),
    ("marts.conversion_funnel", "update lake.{table} set users_at_step = users_at_step + 1 where step = 'purchase'", "users_are_those_of_the_metrics"),
    ("marts.engagement_heatmap", "update lake.{table} set clicks = clicks + 1 where segment = 'all'", "segments_sum_to_all"),
    ("marts.roi_deep_dive", "update lake.{table} set increment_percent = increment_percent + 0.01", "conversions_are_metric_18"),
    ("marts.attribution_revenue_daily", "update lake.{table} set linear_orders = linear_orders + 1 where breakdown = 'platform'", "every_day_is_credited_to_its_orders"),
    ("marts.attribution_revenue_daily", "update lake.{table} set spread_percent = spread_percent + 1", "agrees_with_metric_values"),
    ("marts.data_freshness", "update lake.{table} set events = events + 1 where event_type = 'all'", "counts_every_event"),
    ("marts.data_freshness_windows", "update lake.{table} set max_lag_minutes = max_lag_minutes + 1 where window_label = '30d'", "holds_the_events_of_its_days"),
    ("marts.service_uptime", "update lake.{table} set probes = probes + 1 where period_kind = 'daily' and breakdown = 'overall'", "has_every_probe"),
    ("marts.service_uptime", "delete from lake.{table} where breakdown = 'service' and period_kind = 'window'", "services_sum_to_the_whole"),
    ("marts.service_uptime", "update lake.{table} set uptime_percent = 99.9", "agrees_with_metric_values"),
    ("marts.query_costs", "delete from lake.{table} where period_kind = 'daily' and breakdown = 'overall'", "has_every_query"),
    ("marts.query_costs", "update lake.{table} set cost = cost + 0.01 where breakdown = 'engine'", "groups_sum_to_the_whole"),
    ("marts.query_costs", "update lake.{table} set queries = queries + 1 where breakdown = 'query' and period_kind = 'window'", "window_is_the_sum_of_its_days"),
    ("marts.query_costs", "update lake.{table} set cost_per_query = 2 * cost_per_query", "agrees_with_metric_values"),
    ("marts.quality_levels", "update lake.{table} set lines = lines + 1 where grain = 'day' and target = 'events'", "counts_every_line"),
    ("marts.freshness_levels", "delete from lake.{table} where event_group = 'behavior'", "judges_every_timely_event"),
    ("marts.reconciliation", "delete from lake.{table} where measure = 'clicks'", "has_all_that_is_reported"),
    ("marts.anomalies", "update lake.{table} set actual = actual + 1", "are_about_the_shown_values"),
]  # fmt: skip


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The tables of a built company, copied into a database where they can be spoiled and mended quickly."""
    folder = tmp_path_factory.mktemp("company")
    lake = Lake(load_settings({"TRUELIFT_HOME": str(folder / "home")}).prepare())
    write_company(World(end=AS_OF, seed=11, days=40, customers=150, events=4_000), load_contract(), folder / "files")
    (folder / "files" / "service_probes.csv").write_text(PROBES)
    (folder / "files" / "query_costs.csv").write_text(QUERIES)
    files: list[Path] = sorted(path for path in (folder / "files").iterdir() if path.is_file())
    ingest_files(lake, files, ingested_at=AS_OF, backfill=True)
    build(lake.settings, AS_OF).raise_if_failed()
    with lake.reader() as reader:
        tables = reader.execute(
            """select table_schema, table_name from information_schema.tables
                where table_catalog = 'lake' and table_schema in ('raw', 'ops', 'intermediate', 'marts')"""
        ).fetchall()
        reader.execute("attach ':memory:' as copy")
        for schema, table in tables:
            reader.execute(f"create schema if not exists copy.{schema}")
            reader.execute(f"create table copy.{schema}.{table} as from lake.{schema}.{table}")
        reader.execute("detach lake")
        reader.execute("attach ':memory:' as lake")
        for schema, table in tables:
            reader.execute(f"create schema if not exists lake.{schema}")
            restore(reader, f"{schema}.{table}")
        yield reader


def restore(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    connection.execute(f"create or replace table lake.{table} as from copy.{table}")


@pytest.mark.slow
def test_a_rightly_built_company_passes(company: duckdb.DuckDBPyConnection) -> None:
    results = run_suites(company, SUITES, AS_OF)
    assert [result for result in results if result.blocks] == []
    assert not [result for result in results if "could not run" in result.observed]
    direct = {result.name: result for result in run_real_time_checks(company, SUITES, AS_OF)}
    assert direct == {result.name: result for result in results if result.name in direct}


@pytest.mark.slow
@pytest.mark.parametrize(("table", "change", "check"), WRONG, ids=[f"{table}-{check}" for table, _, check in WRONG])
def test_a_wrong_number_is_seen(company: duckdb.DuckDBPyConnection, table: str, change: str, check: str) -> None:
    suites = [suite for suite in SUITES if any(each.name == check for each in suite.checks)]
    try:
        company.execute(change.format(table=table))
        found = {result.check: result for result in run_suites(company, suites, AS_OF) if result.blocks}
        assert check in found
        assert "could not run" not in found[check].observed
        real_time = {
            each.name for suite in suites for each in suite.checks if isinstance(each, RowsCheck) and each.real_time
        }
        direct = {result.check for result in run_real_time_checks(company, suites, AS_OF) if result.blocks}
        assert direct == found.keys() & real_time
    finally:
        restore(company, table)


def test_every_critical_check_is_seen_to_fail() -> None:
    critical = {check.name for suite in SUITES for check in suite.checks if check.severity == "critical"}
    assert critical == {check for _, _, check in WRONG}
