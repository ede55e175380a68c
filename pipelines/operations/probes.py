"""Probes: every published view is asked for a row, and how it answered goes to the operations log."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from datetime import datetime

import duckdb

from pipelines.errors import TrueliftError
from pipelines.lake.connection import Lake
from pipelines.lake.pinning import TARGET, published_views, quoted
from pipelines.operations.log import append, known_services
from pipelines.settings import now

ANSWER_SECONDS = 1.0
"""A view that has not answered by then counts as down, so nobody waits longer for it."""

OK, FAILED, UNREACHABLE, TIMED_OUT = 200, 500, 503, 504


@dataclass(frozen=True)
class Probe:
    """How one view answered: a status in HTTP's numbers, and the milliseconds until the answer; none when none came."""

    service: str
    started_at: datetime
    status_code: int
    response_ms: float | None

    @property
    def is_ok(self) -> bool:
        """Whether it answered well, and in time."""
        return self.status_code == OK


def probe(lake: Lake) -> tuple[Probe, ...]:
    """Ask every published view for a row and log the answers; reads the lake only, and waits for no writer.

    When the lake can't be opened, or is gone, the views that were probed before are down; without any the error is raised.
    Raises WorkFailedError when the log can't be written.
    """
    try:
        with lake.reader() as connection:
            found = tuple(_ask(connection, view) for view in sorted(published_views(connection)))
    except (TrueliftError, duckdb.Error, OSError):
        known, started_at = known_services(lake.settings), now()
        if not known:
            raise
        found = tuple(Probe(view, started_at, UNREACHABLE, None) for view in known)
    append(lake.settings, "service_probes", [_row(each) for each in found])
    return found


def _ask(connection: duckdb.DuckDBPyConnection, view: str) -> Probe:
    started_at, begin = now(), time.perf_counter()
    deadline = threading.Timer(ANSWER_SECONDS, connection.interrupt)
    deadline.start()
    try:
        connection.execute(f"select * from lake.{TARGET}.{quoted(view)} limit 1").fetchall()
        status_code = OK
    except duckdb.InterruptException:
        return Probe(view, started_at, TIMED_OUT, None)
    except duckdb.Error:
        status_code = FAILED
    finally:
        deadline.cancel()
        deadline.join()
    # By a clock that nobody sets: an answer can't come before its question.
    milliseconds = round(1000 * (time.perf_counter() - begin), 3)
    return Probe(view, started_at, status_code, milliseconds)


def _row(each: Probe) -> dict[str, object]:
    return {
        # Begins with the time, so that looking for it in the lake reads few files.
        "probe_id": f"{each.started_at:%Y%m%dT%H%M%S.%f} {each.service} {os.getpid()}",
        "service": each.service,
        "started_at": each.started_at,
        "status_code": each.status_code,
        "response_ms": each.response_ms,
    }
