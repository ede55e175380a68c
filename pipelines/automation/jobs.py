"""What runs together, and when: the jobs and their schedules (UTC)."""

from __future__ import annotations

from collections.abc import Mapping

from dagster import AssetSelection, DefaultScheduleStatus, ScheduleDefinition, define_asset_job
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

AssetJob = UnresolvedAssetJobDefinition

JOBS: Mapping[str, str] = {
    "refresh": "Takes in the landing folder, refreshes the real-time models for what changed, audits, publishes.",
    "nightly": "Takes in the landing folder, refreshes every model, runs every check, publishes.",
    "recompute_days": "Computes the chosen days again in every daily model, then audits and publishes. "
    "Click Materialize and choose the days.",
    "freshness": "Judges whether events come in, and the metrics follow, as soon as they are to; fails when far too late.",
    "training": "Trains the models on what the lake holds and tries them out of time; the next night publishes how they do.",
    "maintenance": "Expires old versions, compacts small files, deletes what nothing refers to.",
}
SCHEDULES: Mapping[str, str] = {
    "nightly": "15 2 * * *",
    "training": "15 1 * * 0",
    "maintenance": "45 3 * * *",
    "freshness": "*/15 * * * *",
}


def job(name: str, selection: AssetSelection) -> AssetJob:
    """The job ``name`` of ``JOBS`` over the selected assets and their checks."""
    return define_asset_job(name, selection, description=JOBS[name])


def schedule(scheduled: AssetJob) -> ScheduleDefinition:
    """The job at its hour of ``SCHEDULES``, on from the start."""
    return ScheduleDefinition(
        job=scheduled,
        cron_schedule=SCHEDULES[scheduled.name],
        description=JOBS[scheduled.name],
        execution_timezone="UTC",
        default_status=DefaultScheduleStatus.RUNNING,
    )
