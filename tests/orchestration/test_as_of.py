"""The run's instant: chosen by tag, else the start of the run, else the start of the run that it resumes."""

from datetime import UTC, datetime

import dagster as dg
import pytest
from dagster import AssetExecutionContext

from pipelines.automation.as_of import AS_OF_TAG, as_of
from pipelines.errors import UserError

seen: dict[str, datetime] = {}


@dg.asset
def first(context: AssetExecutionContext) -> None:
    seen["first"] = as_of(context)


@dg.asset(deps=[first])
def second(context: AssetExecutionContext) -> None:
    seen["second"] = as_of(context)


def run(instance: dg.DagsterInstance, **tags: str) -> dg.ExecuteInProcessResult:
    return dg.materialize([first, second], instance=instance, tags=tags)


def test_every_step_computes_for_the_start_of_the_run(instance: dg.DagsterInstance) -> None:
    result = run(instance)
    record = instance.get_run_record_by_id(result.run_id)
    assert record is not None and record.start_time is not None
    assert seen["first"] == seen["second"] == datetime.fromtimestamp(record.start_time, UTC)


def test_a_tag_chooses_the_instant(instance: dg.DagsterInstance) -> None:
    run(instance, **{AS_OF_TAG: "2025-06-30T12:00:00Z"})
    assert seen["second"] == datetime(2025, 6, 30, 12, tzinfo=UTC)


def test_a_resumed_run_goes_on_with_the_first_attempts_instant(instance: dg.DagsterInstance) -> None:
    run(instance)
    original, first_instant = instance.get_runs()[0], seen["second"]
    lineage = {"dagster/parent_run_id": original.run_id, "dagster/root_run_id": original.run_id}
    run(instance, **lineage, **{"dagster/is_resume_retry": "true"})
    assert seen["second"] == first_instant
    run(instance, **lineage)
    assert seen["second"] > first_instant


def test_a_tag_that_is_no_instant_is_a_users_mistake(instance: dg.DagsterInstance) -> None:
    with pytest.raises(UserError, match="'yesterday' is not an instant"):
        run(instance, **{AS_OF_TAG: "yesterday"})
