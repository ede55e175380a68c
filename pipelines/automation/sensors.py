"""Sensors that request runs: what was dropped into the landing folder gets carried to the published marts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from dagster import (
    DagsterInstance,
    DagsterRunStatus,
    DefaultSensorStatus,
    ResourceParam,
    RunRequest,
    RunsFilter,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    sensor,
)

from pipelines.automation.jobs import AssetJob
from pipelines.errors import UserError
from pipelines.ingestion.files import ready_files
from pipelines.lake.connection import Lake
from pipelines.lake.pinning import published_views
from pipelines.operations.system_events import is_system_file
from pipelines.settings import now

_WAITING = (DagsterRunStatus.QUEUED, DagsterRunStatus.NOT_STARTED, DagsterRunStatus.STARTING)


def landing_sensor(refresh: AssetJob, everything: AssetJob) -> SensorDefinition:
    """The sensor that requests a run once for every set of files waiting in the landing folder.

    The run is ``refresh``, whose models read others that must have been built before; so the first one of a lake that
    has published nothing yet is ``everything``.
    """

    @sensor(
        name="landing",
        jobs=[refresh, everything],
        description="Requests a refresh for files dropped into the landing folder; leaves files still being written.",
        minimum_interval_seconds=5,
        default_status=DefaultSensorStatus.RUNNING,
    )
    def landing(context: SensorEvaluationContext, lake: ResourceParam[Lake]) -> SensorResult:
        files = [path for path in ready_files(lake.settings, now()) if not is_system_file(path)]
        if not files:
            return _skip(context, f"Nothing is waiting in {lake.settings.landing}.")
        key = batch_key(files)
        if key == context.cursor:
            return _skip(
                context,
                f"The {len(files)} waiting files are requested already (run key {key}). "
                "If that run failed, launch it again once the cause is mended.",
            )
        if any(_is_waiting(context.instance, job.name) for job in (refresh, everything)):
            return _skip(context, f"A run that has not begun yet will take the {len(files)} waiting files.")
        job = refresh if _has_published(lake) else everything
        return SensorResult(run_requests=[RunRequest(run_key=key, job_name=job.name)], cursor=key)

    return landing


def batch_key(files: Iterable[Path]) -> str:
    """Identifies the files as they are: their names, sizes and times of writing and of arrival.

    A file that changed, came back or was made readable again is a new batch; the same files are the same batch in
    whatever order they are listed. A file that vanishes meanwhile does not count.
    """
    lines = []
    for path in files:
        try:
            state = path.stat()
        except FileNotFoundError:
            continue
        lines.append(f"{path.name}\0{state.st_size}\0{state.st_mtime_ns}\0{state.st_ctime_ns}")
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:16]


def _skip(context: SensorEvaluationContext, reason: str) -> SensorResult:
    return SensorResult(skip_reason=SkipReason(reason), cursor=context.cursor)


def _has_published(lake: Lake) -> bool:
    try:
        with lake.reader() as connection:
            return bool(published_views(connection))
    except UserError:  # there is no lake yet
        return False


def _is_waiting(instance: DagsterInstance, job_name: str) -> bool:
    return bool(instance.get_run_ids(RunsFilter(job_name=job_name, statuses=list(_WAITING)), limit=1))
