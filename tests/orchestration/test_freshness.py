"""The freshness job: what is met passes, what is far too late fails the run, so that the failure alert tells people."""

import os
from datetime import UTC, datetime, timedelta

import dagster as dg

from pipelines.automation.alerts import describe_failure
from pipelines.automation.jobs import job
from pipelines.ingestion.assets import FRESH, freshness_checks, landing_spec
from pipelines.lake.connection import Lake


def run(lake: Lake, instance: dg.DagsterInstance, at: datetime) -> dg.ExecuteInProcessResult:
    checks = freshness_checks()
    watch = job("freshness", dg.AssetSelection.checks(checks))
    definitions = dg.Definitions(assets=[landing_spec()], asset_checks=[checks], jobs=[watch], resources={"lake": lake})
    return definitions.resolve_job_def("freshness").execute_in_process(
        instance=instance, raise_on_error=False, tags={"truelift/as_of": at.isoformat()}
    )


def test_before_there_is_a_lake_everything_is_in_order(lake: Lake, instance: dg.DagsterInstance) -> None:
    result = run(lake, instance, datetime(2025, 6, 30, tzinfo=UTC))
    assert result.success
    checks = result.get_asset_check_evaluations()
    assert {each.check_name for each in checks} == {f"{group}_fresh" for group in FRESH}
    assert all(each.passed for each in checks)


def test_a_file_that_waits_too_long_alerts(lake: Lake, instance: dg.DagsterInstance) -> None:
    with lake.writer():
        pass
    landed = lake.settings.landing / "events.jsonl"
    landed.write_text("{}\n")
    os.utime(landed, (0, 0))
    arrived = datetime.fromtimestamp(landed.stat().st_ctime, UTC)

    assert run(lake, instance, arrived + timedelta(minutes=4)).success

    slow = run(lake, instance, arrived + timedelta(minutes=14))
    assert slow.success
    (check,) = [each for each in slow.get_asset_check_evaluations() if each.check_name == "metrics_fresh"]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)

    late = run(lake, instance, arrived + timedelta(minutes=16))
    assert not late.success
    message = describe_failure(
        dg.build_run_status_sensor_context(
            sensor_name="failure_alert",
            dagster_instance=instance,
            dagster_run=late.dagster_run,
            dagster_event=late.get_run_failure_event(),
        ).for_run_failure()
    )
    assert message["failed_checks"] == [{"table": "landing/files", "check": "metrics_fresh", "severity": "ERROR"}]
    assert "metrics_fresh" in message["failed_steps"][0]["error"]
