"""Tells people that a run failed: a structured log line always, a JSON message to the webhook when one is set."""

from __future__ import annotations

import json
import logging
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from dagster import (
    DagsterEventType,
    DefaultSensorStatus,
    ResourceParam,
    RunFailureSensorContext,
    SensorDefinition,
    run_failure_sensor,
)

from pipelines.automation.as_of import AS_OF_TAG
from pipelines.errors import WorkFailedError
from pipelines.lake.connection import Lake

_LOG = logging.getLogger("truelift.alerts")
_MAX_ERROR_CHARACTERS = 2000
_TIMEOUT_SECONDS = 10.0


def failure_alert() -> SensorDefinition:
    """The sensor that alerts once for every failed run of this deployment."""

    @run_failure_sensor(
        name="failure_alert",
        description="Logs every failed run and posts it as JSON to TRUELIFT_ALERT_WEBHOOK when that is set.",
        minimum_interval_seconds=10,
        default_status=DefaultSensorStatus.RUNNING,
    )
    def sensor(context: RunFailureSensorContext, lake: ResourceParam[Lake]) -> None:
        message = describe_failure(context)
        _LOG.error("%s", json.dumps(message, sort_keys=True))
        if lake.settings.alert_webhook:
            post(lake.settings.alert_webhook, message)

    return sensor


def describe_failure(context: RunFailureSensorContext) -> dict[str, Any]:
    """What went wrong in the run: job, as_of if one was chosen, the failed steps and the failed checks."""
    run = context.dagster_run
    evaluations = context.instance.get_records_for_run(
        run.run_id, of_type=DagsterEventType.ASSET_CHECK_EVALUATION
    ).records
    checks = [record.event_log_entry.get_dagster_event().asset_check_evaluation_data for record in evaluations]
    return {
        "alert": "run_failed",
        "job": run.job_name,
        "run_id": run.run_id,
        "as_of": run.tags.get(AS_OF_TAG),
        "message": (context.failure_event.message or "")[:_MAX_ERROR_CHARACTERS],
        "failed_steps": [
            {"step": event.step_key, "error": _last_error(event.step_failure_data.error)}
            for event in context.get_step_failure_events()
        ],
        "failed_checks": [
            {"table": check.asset_key.to_user_string(), "check": check.check_name, "severity": check.severity.value}
            for check in checks
            if not check.passed
        ],
    }


def post(url: str, message: Mapping[str, Any]) -> None:
    """Send ``message`` as JSON to ``url``; raises WorkFailedError when it can't be delivered."""
    if not url.startswith(("http://", "https://")):
        raise WorkFailedError("TRUELIFT_ALERT_WEBHOOK is not an http(s) address.", "Set it to one, or unset it.")
    request = urllib.request.Request(  # noqa: S310 - the scheme was checked above
        url, data=json.dumps(message).encode(), headers={"Content-Type": "application/json"}, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS):  # noqa: S310 - the scheme was checked above
            return
    except (urllib.error.URLError, TimeoutError) as error:
        raise WorkFailedError(
            f"The alert about run {message.get('run_id')} was not delivered: {error}.",
            "Check TRUELIFT_ALERT_WEBHOOK; the log holds the alert.",
        ) from error


def _last_error(error: Any) -> str:
    """The innermost cause of a step's error, which is what a person must mend."""
    while error is not None and error.cause is not None:
        error = error.cause
    return "" if error is None else str(error.message).strip()[:_MAX_ERROR_CHARACTERS]
