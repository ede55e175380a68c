"""Whole runs in process, on a small company: what lands is published, a failed check keeps it back, a day is redone.

One deployment carries the story from test to test, because each run of the whole dbt project takes seconds.
"""

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import dagster as dg
import pytest

from models_ml.simulation import World, write_company
from pipelines.definitions import Overrides, build_definitions
from pipelines.lake.connection import Lake
from pipelines.operations.log import waiting
from pipelines.settings import load_settings, now
from quality.checks import RowsCheck, Suite
from quality.contracts import load_contract

pytestmark = pytest.mark.slow

AS_OF = datetime(2025, 6, 30, 18, tzinfo=UTC)
LATER = AS_OF + timedelta(hours=2)
DAY = "2025-06-29"
OF_A_DAY = (
    "intermediate.int_touchpoints",
    "intermediate.int_orders",
    "intermediate.int_conversions",
    "intermediate.int_journeys",
    "intermediate.int_daily_parts",
    "intermediate.int_daily_volumes",
    "intermediate.int_attribution_parts",
    "marts.fct_touchpoints",
    "marts.fct_orders",
    "marts.fct_conversions",
    "marts.campaign_performance_daily",
    "marts.attribution_revenue_daily",
)
Rows = list[tuple[Any, ...]]


class Deployment:
    """A home, the definitions over it, and one Dagster instance."""

    def __init__(self, home: Path, instance: dg.DagsterInstance) -> None:
        self.settings = load_settings({"TRUELIFT_HOME": str(home)}).prepare()
        self.lake = Lake(self.settings)
        self.instance = instance

    def run(
        self, job: str, as_of: datetime = AS_OF, suites: Sequence[Suite] | None = None, **more: Any
    ) -> dg.ExecuteInProcessResult:
        definitions = build_definitions(Overrides(settings=self.settings, suites=suites))
        tags = {"truelift/as_of": as_of.isoformat(), **more.pop("tags", {})}
        return definitions.resolve_job_def(job).execute_in_process(
            instance=self.instance, raise_on_error=False, tags=tags, **more
        )

    def land(self, path: Path) -> None:
        """Drop a file, settled since a minute."""
        target = self.settings.landing / path.name
        shutil.copy(path, target)
        written = target.stat().st_mtime - 60
        os.utime(target, (written, written))

    def rows(self, query: str) -> Rows:
        with self.lake.reader() as connection:
            return connection.execute(query).fetchall()

    def change(self, statement: str) -> None:
        with self.lake.writer() as connection:
            connection.execute(statement)

    def version(self) -> int:
        return int(self.rows("select version from lake.ops.publish_log order by publish_id desc limit 1")[0][0])


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("orchestration")
    world = World(end=AS_OF, seed=3, days=5, customers=120, events=4_000)
    write_company(world, load_contract(), folder / "company")
    with dg.DagsterInstance.ephemeral() as instance:
        deployed = Deployment(folder / "home", instance)
        for path in sorted((folder / "company").iterdir()):
            if path.is_file():
                deployed.land(path)
        yield deployed


def order(user: str, value: float, at: datetime) -> str:
    return json.dumps(
        {
            "event_id": str(uuid5(NAMESPACE_OID, f"event {user} {value}")),
            "event_type": "user_purchased",
            "timestamp": at.isoformat(),
            "user_id": user,
            "session_id": None,
            "source": "backend",
            "properties": {"order_id": str(uuid5(NAMESPACE_OID, f"order {user} {value}")), "order_value": value},
            "context": {"app_version": "1", "platform": "Web", "user_segment": "vip", "region": "EU"},
        }
    )


def order_revenue(deployment: Deployment, schema: str) -> float:
    """Revenue of all orders of the day, as the marts of ``schema`` tell it."""
    (row,) = deployment.rows(
        f"""
        select numerator from lake.{schema}.metric_values
        where metric_id = 'aov' and breakdown = 'overall' and period_kind = 'daily' and period_end = date '{DAY}'
        """
    )
    return float(row[0])


def daily_rows(deployment: Deployment) -> Rows:
    """Every daily number that readers see, without the columns that tell when it was computed."""
    return deployment.rows(
        "select * exclude (load_id, as_of) from lake.published.campaign_performance_daily order by all"
    )


def rows_of_day(deployment: Deployment) -> dict[str, Rows]:
    """Of each of these tables how many rows the day has, and their content but for when it was computed."""
    found = {}
    for table in OF_A_DAY:
        columns = {name for (name, *_) in deployment.rows(f"describe lake.{table}")}
        left_out = sorted(columns & {"load_id", "closed_by_load_id", "as_of"})
        content = f"* exclude ({', '.join(left_out)})" if left_out else "*"
        held = "and closed_by_load_id is null" if "closed_by_load_id" in columns else ""
        found[table] = deployment.rows(
            f"select count(*), bit_xor(hash(rows)) from "
            f"(select {content} from lake.{table} where event_date = date '{DAY}' {held}) as rows"
        )
    return found


def test_the_first_night_carries_the_landing_folder_to_the_published_marts(deployment: Deployment) -> None:
    result = deployment.run("nightly")
    assert result.success
    assert list(deployment.settings.landing.iterdir()) == []
    (counts,) = deployment.rows(
        "select sum(accepted) - sum(replaced) from lake.ops.load_log where target = 'events' and status = 'loaded'"
    )
    assert deployment.rows("select count(*) from lake.raw.events") == [counts]
    assert deployment.rows("select count(*) from lake.published.campaign_performance_daily")[0][0] > 0
    written = {event.asset_key.to_user_string() for event in result.get_asset_materialization_events()}
    assert {"raw/events", "ops/load_log", "marts/campaign_performance", "published/campaign_performance"} <= written
    assert result.get_asset_check_evaluations()
    assert all(check.passed for check in result.get_asset_check_evaluations() if check.severity.value == "ERROR")


def test_what_a_run_does_is_logged(deployment: Deployment) -> None:
    _, logged = waiting(deployment.settings, "query_costs", now())
    seconds = {(row["engine"], row["name"]): row["seconds"] for row in logged}
    assert seconds.keys() >= {("python", step) for step in ("ingestion", "audit", "publish")}
    assert seconds.keys() >= {("dbt", node) for node in ("int_orders", "metric_values", "metric_values_key")}
    assert all(0 < each < 600 for each in seconds.values())


def test_materializations_tell_rows_bytes_and_seconds(deployment: Deployment) -> None:
    event = deployment.instance.get_latest_materialization_event(dg.AssetKey(["marts", "campaign_performance_daily"]))
    assert event is not None and event.asset_materialization is not None
    metadata = event.asset_materialization.metadata
    stored = deployment.rows("select count(*) from lake.marts.campaign_performance_daily")
    assert stored == [(metadata["dagster/row_count"].value,)]
    assert metadata["bytes"].value > 0
    assert metadata["seconds"].value > 0
    landed = deployment.instance.get_latest_materialization_event(dg.AssetKey(["raw", "events"]))
    assert landed is not None and landed.asset_materialization is not None
    chart = landed.asset_materialization.metadata["events_per_day"].value
    assert "data:image/svg+xml;base64," in chart


def test_a_landed_order_is_published_by_a_refresh(deployment: Deployment, tmp_path: Path) -> None:
    before, version = order_revenue(deployment, "published"), deployment.version()
    (tmp_path / "orders.jsonl").write_text(order("user-a", 12.5, datetime(2025, 6, 29, 9, tzinfo=UTC)) + "\n")
    deployment.land(tmp_path / "orders.jsonl")
    result = deployment.run("refresh", AS_OF + timedelta(hours=1))
    assert result.success
    assert order_revenue(deployment, "published") - before == pytest.approx(12.5)
    assert deployment.version() > version
    told = deployment.instance.get_latest_materialization_event(dg.AssetKey(["landing", "system_events"]))
    assert told is not None and told.asset_materialization is not None
    assert told.asset_materialization.metadata["data_refresh_completed"].value == 1
    assert deployment.rows(
        "select records_processed, refresh_duration_seconds > 0 from lake.raw.events"
        " where event_type = 'data_refresh_completed' and user_id = 'truelift' order by timestamp desc limit 1"
    ) == [(1, True)]
    assert list(deployment.settings.landing.iterdir()) == []


def test_an_unknown_file_is_reported_and_stops_nothing(deployment: Deployment, tmp_path: Path) -> None:
    (tmp_path / "notes.docx").write_text("hello")
    deployment.land(tmp_path / "notes.docx")
    before = daily_rows(deployment)
    result = deployment.run("refresh", AS_OF + timedelta(hours=1))
    assert result.success
    (check,) = [each for each in result.get_asset_check_evaluations() if each.check_name == "every_file_was_taken_in"]
    assert not check.passed
    assert check.severity == dg.AssetCheckSeverity.WARN
    assert "notes.docx" in str(check.metadata["files_left"].value)
    assert daily_rows(deployment) == before, "nothing else was to do"
    (deployment.settings.landing / "notes.docx").unlink()


def test_a_failed_critical_check_leaves_the_published_version_standing(deployment: Deployment, tmp_path: Path) -> None:
    never = RowsCheck(
        "no_day_earns_a_million",
        "A day's orders stay plausible.",
        "select metric_id, breakdown, numerator from batch where metric_id = 'aov' and numerator >= 1e6",
        real_time=True,
    )
    suites = (Suite("marts.metric_values", ("metric_id",), (never,)),)
    before, version = order_revenue(deployment, "published"), deployment.version()
    (tmp_path / "big.jsonl").write_text(order("user-b", 1_000_000.0, datetime(2025, 6, 29, 10, tzinfo=UTC)) + "\n")
    deployment.land(tmp_path / "big.jsonl")

    result = deployment.run("refresh", LATER, suites=suites)

    assert not result.success
    assert order_revenue(deployment, "marts") > 1e6, "the marts did take it in"
    assert (order_revenue(deployment, "published"), deployment.version()) == (before, version)
    (check,) = [each for each in result.get_asset_check_evaluations() if each.check_name == never.name]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert "metric_id=aov" in str(check.metadata["first_failing_rows"].value)
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "no_day_earns_a_million" in failure.step_failure_data.error_display_string
    assert f"Version {version}" in failure.step_failure_data.error_display_string

    assert deployment.run("nightly", LATER).success
    assert deployment.version() > version


def test_a_day_is_computed_again_on_request(deployment: Deployment) -> None:
    right = daily_rows(deployment), rows_of_day(deployment)
    assert all(count for [(count, _)] in right[1].values())
    for table in OF_A_DAY:
        deployment.change(f"delete from lake.{table} where event_date = date '{DAY}'")

    assert deployment.run("recompute_days", LATER, partition_key=DAY).success

    assert (daily_rows(deployment), rows_of_day(deployment)) == right
    assert deployment.instance.get_materialized_partitions(dg.AssetKey(["ops", "touched_days"])) == {DAY}


def test_several_days_are_one_run(deployment: Deployment) -> None:
    right = daily_rows(deployment)
    days = {"dagster/asset_partition_range_start": "2025-06-26", "dagster/asset_partition_range_end": "2025-06-28"}
    assert deployment.run("recompute_days", LATER, tags=days).success
    (asked,) = deployment.rows(
        "select source_file from lake.ops.load_log where source = 'recompute' order by load_id desc limit 1"
    )
    assert asked == ("2025-06-26 to 2025-06-28",)
    assert daily_rows(deployment) == right


def test_maintenance_reports_what_it_did(deployment: Deployment) -> None:
    result = deployment.run("maintenance", AS_OF.replace(year=2100))
    assert result.success
    (event,) = result.get_asset_materialization_events()
    assert event.materialization.metadata["snapshots_expired"].value > 0
    assert deployment.rows("select count(*) from lake.published.metric_values")[0][0] > 0


def test_an_alert_is_published_and_fails_the_run_that_people_hear_of_it(deployment: Deployment) -> None:
    grave = RowsCheck(
        "nobody_ordered", "Somebody orders.", "select metric_id from batch limit 1", "alert", real_time=True
    )
    suites = (Suite("marts.metric_values", ("metric_id",), (grave,)),)
    version = deployment.version()
    result = deployment.run("refresh", LATER, suites=suites)
    assert not result.success
    assert deployment.version() > version
    (check,) = [each for each in result.get_asset_check_evaluations() if each.check_name == grave.name]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.ERROR)
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "nobody_ordered: 1 row; metric_id=" in failure.step_failure_data.error_display_string


def test_a_tag_that_is_no_instant_names_the_remedy(deployment: Deployment) -> None:
    result = deployment.run("refresh", tags={"truelift/as_of": "yesterday"})
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "'yesterday' is not an instant." in failure.step_failure_data.error_display_string
    details = failure.step_failure_data.user_failure_data
    assert details is not None
    assert "2025-06-30" in str(details.metadata["remedy"].value)


def test_a_failed_dbt_test_leaves_the_published_version_standing(deployment: Deployment) -> None:
    version = deployment.version()
    deployment.change("insert into lake.intermediate.int_orders from lake.intermediate.int_orders limit 1")
    result = deployment.run("nightly", LATER)
    assert not result.success
    failed = {each.asset_key for each in result.get_asset_check_evaluations() if not each.passed}
    assert failed == {dg.AssetKey(["intermediate", "int_orders"])}
    assert deployment.version() == version
