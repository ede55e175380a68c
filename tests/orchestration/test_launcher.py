"""The monitor learns whether a started run still has a process, from a real code server or from its absence."""

import json
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.launcher import WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._grpc.server import GrpcServerProcess

from pipelines.automation.launcher import WatchedRunLauncher


@pytest.fixture
def started(tmp_path: Path) -> Iterator[tuple[dg.DagsterInstance, WatchedRunLauncher]]:
    (tmp_path / "dagster.yaml").write_text(
        "run_launcher: {module: pipelines.automation.launcher, class: WatchedRunLauncher}\n"
        "telemetry: {enabled: false}\n"
    )
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert isinstance(instance.run_launcher, WatchedRunLauncher)
        yield instance, instance.run_launcher


def started_run(instance: dg.DagsterInstance, server: dict[str, str] | None) -> dg.DagsterRun:
    @dg.op
    def nothing() -> None:
        return

    @dg.job
    def work() -> None:
        nothing()

    tags = {GRPC_INFO_TAG: json.dumps(server)} if server else {}
    return instance.create_run_for_job(work, status=dg.DagsterRunStatus.STARTED, tags=tags)


def test_a_run_whose_server_is_gone_has_failed(
    started: tuple[dg.DagsterInstance, WatchedRunLauncher], tmp_path: Path
) -> None:
    instance, launcher = started
    run = started_run(instance, {"host": "localhost", "socket": str(tmp_path / "gone.sock")})
    health = launcher.check_run_worker_health(run)
    assert (health.status, health.msg) == (WorkerStatus.FAILED, "The code server that started the run is gone.")


def test_a_run_unknown_to_its_server_has_failed(started: tuple[dg.DagsterInstance, WatchedRunLauncher]) -> None:
    instance, launcher = started
    with GrpcServerProcess(instance_ref=instance.get_ref(), wait_on_exit=True) as server:
        client = server.create_client()
        run = started_run(instance, {"host": client.host, "socket": str(client.socket)})
        health = launcher.check_run_worker_health(run)
    assert (health.status, health.msg) == (WorkerStatus.FAILED, "The process that executed the run is gone.")


def test_a_run_that_no_server_started_is_left_alone(started: tuple[dg.DagsterInstance, WatchedRunLauncher]) -> None:
    instance, launcher = started
    assert launcher.check_run_worker_health(started_run(instance, None)).status == WorkerStatus.RUNNING
