"""Check results between the platform's own form (``quality.checks``) and Dagster's asset checks.

Also what an earlier step of the same run left in Dagster's event log for a later one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dagster import (
    AssetCheckEvaluation,
    AssetCheckKey,
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetKey,
    DagsterEvent,
    DagsterEventType,
    DagsterInstance,
    DagsterRun,
)

from pipelines.automation.as_of import resumed_run
from pipelines.automation.metadata import rows_metadata
from quality.checks import CheckResult, Suite

VERSION = "version"
_SHOWN = "first_failing_rows"


def check_key(table: str, check: str) -> AssetCheckKey:
    """The check on ``schema.name`` as Dagster names it."""
    return AssetCheckKey(AssetKey(table.split(".")), check)


def suite_specs(suites: Iterable[Suite]) -> list[AssetCheckSpec]:
    """Every check of the suites.

    None blocks by Dagster's means, which would have to run some of them between the marts: publishing itself refuses
    while a critical one fails.
    """
    return [
        AssetCheckSpec(
            check.name,
            asset=AssetKey(suite.table.split(".")),
            description=check.description,
            metadata={"severity": check.severity},
        )
        for suite in suites
        for check in suite.checks
    ]


def evaluation(result: CheckResult) -> AssetCheckResult:
    """A result as the UI shows it, with the first failing rows."""
    key = check_key(result.table, result.check)
    metadata: dict[str, Any] = {"observed": result.observed}
    if result.unexpected_count is not None:
        metadata["failing_rows"] = result.unexpected_count
    if result.sample:
        metadata[_SHOWN] = rows_metadata({"row": row} for row in result.sample)
    return AssetCheckResult(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=result.passed,
        severity=AssetCheckSeverity.WARN if result.severity == "warning" else AssetCheckSeverity.ERROR,
        metadata=metadata,
    )


def evaluated(instance: DagsterInstance, run: DagsterRun, without: Iterable[AssetCheckKey]) -> tuple[CheckResult, ...]:
    """The latest results of the run so far (and of the one that it resumes) of all checks but those ``without``."""
    skipped = set(without)
    events = _events(instance, run, DagsterEventType.ASSET_CHECK_EVALUATION)
    found = {each.asset_check_key: each for each in (event.asset_check_evaluation_data for event in events)}
    return tuple(_result(each) for key, each in found.items() if key not in skipped)


def built_version(instance: DagsterInstance, run: DagsterRun) -> int | None:
    """The version of the lake that the run's build left (metadata ``version``); None when it has built nothing."""
    events = _events(instance, run, DagsterEventType.ASSET_MATERIALIZATION)
    versions = [event.step_materialization_data.materialization.metadata.get(VERSION) for event in events]
    return max((int(str(version.value)) for version in versions if version is not None), default=None)


def _events(instance: DagsterInstance, run: DagsterRun, of_type: DagsterEventType) -> Iterator[DagsterEvent]:
    parent = resumed_run(run, instance)
    if parent is not None:
        yield from _events(instance, parent, of_type)
    for record in instance.get_records_for_run(run.run_id, of_type=of_type).records:
        yield record.event_log_entry.get_dagster_event()


def _result(found: AssetCheckEvaluation) -> CheckResult:
    message = found.metadata.get("observed")
    return CheckResult(
        table=".".join(found.asset_key.path),
        check=found.check_name,
        severity="critical" if found.severity == AssetCheckSeverity.ERROR else "warning",
        passed=found.passed,
        observed=str(message.value) if message is not None else "",
    )
