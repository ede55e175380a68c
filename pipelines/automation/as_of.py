"""The instant that a Dagster run computes for: the one place where it is decided."""

from __future__ import annotations

from datetime import UTC, datetime

from dagster import AssetCheckExecutionContext, AssetExecutionContext, DagsterInstance, DagsterRun

from pipelines.settings import parse_instant

AS_OF_TAG = "truelift/as_of"
"""Run tag with which a person chooses the instant; yesterday's numbers can so be recomputed today."""

_RESUMED_TAGS = ("dagster/is_resume_retry", "dagster/is_asset_resume_retry")
_PARENT_TAG = "dagster/parent_run_id"


def as_of(context: AssetExecutionContext | AssetCheckExecutionContext) -> datetime:
    """The UTC instant of the run: its tag ``truelift/as_of``, else when it started.

    Every step of a run gets the same instant, in whichever process it executes. A run that resumes a failed one goes
    on with the instant of the first attempt, so that what was already built and what is built now agree.
    Raises UserError for a tag that is not an instant.
    """
    return _as_of(context.run, context.instance)


def resumed_run(run: DagsterRun, instance: DagsterInstance) -> DagsterRun | None:
    """The failed run that this one goes on with after its last good step; None for a run from the start."""
    if any(run.tags.get(tag) == "true" for tag in _RESUMED_TAGS):
        return instance.get_run_by_id(run.tags[_PARENT_TAG])
    return None


def _as_of(run: DagsterRun, instance: DagsterInstance) -> datetime:
    chosen = run.tags.get(AS_OF_TAG)
    if chosen:
        return parse_instant(chosen)
    parent = resumed_run(run, instance)
    if parent is not None:
        return _as_of(parent, instance)
    record = instance.get_run_record_by_id(run.run_id)
    if record is None or record.start_time is None:
        raise RuntimeError(f"Run {run.run_id} has no start; as_of belongs into the steps of a run.")
    return datetime.fromtimestamp(record.start_time, UTC)
