"""Starts runs beside the code server and tells the monitor which of them have lost their process.

Dagster's default launcher has no such answer: after a power cut or a ``kill -9`` of the whole deployment a run would
stay "started" for ever and keep the pool ``lake_writer`` occupied. Configured in ``deploy/*/dagster.yaml``.
"""

from __future__ import annotations

from dagster import DagsterRun, DefaultRunLauncher
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import deserialize_value


class WatchedRunLauncher(DefaultRunLauncher):
    """The default launcher, able to say whether the process of a started run still exists."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Always: the code server that started a run knows its processes."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Ask the code server that started ``run`` whether it still executes it.

        A server that is gone took its runs with it. A server that is merely slow to answer counts as running, and so
        does a run that no server started (one executed directly by a script).
        """
        client = self._get_grpc_client_for_termination(run.run_id)  # type: ignore[no-untyped-call] # Dagster's own
        if client is None:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "No code server started the run.")
        try:
            reply = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run.run_id))
        except DagsterUserCodeUnreachableError as error:
            if "UNAVAILABLE" in str(error):
                return CheckRunHealthResult(WorkerStatus.FAILED, "The code server that started the run is gone.")
            return CheckRunHealthResult(WorkerStatus.RUNNING, "The code server is slow to answer.")
        if deserialize_value(reply, CanCancelExecutionResult).can_cancel:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.FAILED, "The process that executed the run is gone.")
