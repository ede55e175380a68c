"""The landing sensor: one request for each set of complete files, and a reason whenever it asks for nothing."""

import os
from pathlib import Path

import dagster as dg
import pytest

from pipelines.automation.jobs import job
from pipelines.automation.sensors import batch_key, landing_sensor
from pipelines.lake.connection import Lake


@dg.asset(pool="lake_writer")
def events() -> None:
    return


def tick(lake: Lake, instance: dg.DagsterInstance, cursor: str | None = None) -> dg.SensorResult:
    sensor = landing_sensor(*(job(name, dg.AssetSelection.assets(events)) for name in ("refresh", "nightly")))
    context = dg.build_sensor_context(instance=instance, cursor=cursor, resources={"lake": lake})
    result = sensor(context)
    assert isinstance(result, dg.SensorResult)
    return result


def drop(lake: Lake, name: str, text: str = "{}\n", age_seconds: float = 60) -> Path:
    path = lake.settings.landing / name
    path.write_text(text)
    written = path.stat().st_mtime - age_seconds
    os.utime(path, (written, written))
    return path


def reason(result: dg.SensorResult) -> str:
    assert not result.run_requests
    assert result.skip_reason is not None
    return str(result.skip_reason.skip_message)


def requested(result: dg.SensorResult) -> str:
    (request,) = result.run_requests or []
    assert request.run_key is not None
    assert request.run_key == result.cursor
    return request.run_key


def test_an_empty_folder_asks_for_nothing(lake: Lake, instance: dg.DagsterInstance) -> None:
    assert "Nothing is waiting" in reason(tick(lake, instance))


def test_the_platforms_own_events_wait_for_the_next_run(lake: Lake, instance: dg.DagsterInstance) -> None:
    drop(lake, "truelift-20250630T180000.000000.jsonl")
    assert "Nothing is waiting" in reason(tick(lake, instance))
    drop(lake, "a.jsonl")
    assert requested(tick(lake, instance)) == batch_key([lake.settings.landing / "a.jsonl"])


def test_the_same_files_are_requested_once(lake: Lake, instance: dg.DagsterInstance) -> None:
    drop(lake, "a.jsonl")
    key = requested(tick(lake, instance))
    assert key == requested(tick(lake, instance)), "the key depends on nothing but the files"
    again = tick(lake, instance, cursor=key)
    assert key in reason(again)
    assert again.cursor == key


def test_another_file_is_another_request(lake: Lake, instance: dg.DagsterInstance) -> None:
    drop(lake, "a.jsonl")
    first = requested(tick(lake, instance))
    drop(lake, "b.jsonl")
    assert requested(tick(lake, instance, cursor=first)) != first


def test_the_first_batch_builds_everything(lake: Lake, instance: dg.DagsterInstance) -> None:
    drop(lake, "a.jsonl")
    (first,) = tick(lake, instance).run_requests or []
    assert first.job_name == "nightly"
    with lake.writer() as connection:
        connection.execute(
            "create schema if not exists lake.published; create view lake.published.numbers as select 1 as number"
        )
    (later,) = tick(lake, instance).run_requests or []
    assert later.job_name == "refresh"


@pytest.mark.parametrize("change", ["content", "permission", "return"])
def test_a_changed_file_is_another_request(lake: Lake, instance: dg.DagsterInstance, change: str) -> None:
    path = drop(lake, "a.jsonl")
    first = requested(tick(lake, instance))
    if change == "content":
        drop(lake, "a.jsonl", "{}\n{}\n")
    elif change == "permission":
        path.chmod(0o600)
    else:
        path.rename(lake.settings.archive / "a.jsonl")
        (lake.settings.archive / "a.jsonl").rename(path)
    assert requested(tick(lake, instance, cursor=first)) != first


@pytest.mark.parametrize(("name", "age"), [("a.jsonl", 0), ("a.jsonl.part", 60), ("a.tmp", 60), (".a.jsonl", 60)])
def test_files_being_written_are_left_alone(lake: Lake, instance: dg.DagsterInstance, name: str, age: float) -> None:
    drop(lake, name, age_seconds=age)
    assert "Nothing is waiting" in reason(tick(lake, instance))


def test_a_run_that_has_not_begun_will_take_new_files_too(lake: Lake, instance: dg.DagsterInstance) -> None:
    refresh = job("refresh", dg.AssetSelection.assets(events))
    definitions = dg.Definitions(assets=[events], jobs=[refresh])
    waiting = instance.create_run_for_job(definitions.resolve_job_def("refresh"), status=dg.DagsterRunStatus.STARTING)
    drop(lake, "a.jsonl")
    assert "has not begun yet" in reason(tick(lake, instance))
    instance.report_run_canceled(waiting)
    requested(tick(lake, instance))


def test_the_key_ignores_order_and_vanished_files(lake: Lake) -> None:
    first, second = drop(lake, "a.jsonl"), drop(lake, "b.jsonl")
    both = batch_key([first, second])
    assert both == batch_key([second, first, lake.settings.landing / "gone.jsonl"])
    assert both != batch_key([first])
