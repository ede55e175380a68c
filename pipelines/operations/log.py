"""The operations log: what the platform ran and how it answered, until a run takes it into the lake.

A SQLite file of the home rather than a table of the lake: a row costs milliseconds, waits for no writer of the lake and
leaves no version of it. Its tables are those reference inputs that the platform itself delivers. Every function raises
WorkFailedError when the file can't be read or written.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from pipelines.errors import WorkFailedError
from pipelines.lake.tables import REFERENCES
from pipelines.settings import Settings

LOGGED = ("service_probes", "query_costs")
"""The reference inputs that the log holds rows of."""

_BUSY_SECONDS = 5.0
_KEPT = timedelta(days=1)
"""How long rows stay after they were taken in: the probes of a day tell which services there are."""


def append(settings: Settings, reference: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Add rows of a reference input, together or not at all."""
    columns = tuple(REFERENCES[reference][1])
    marks = ", ".join("?" for _ in columns)
    with _opened(settings) as log:
        log.executemany(
            f"insert into {reference} ({', '.join(columns)}) values ({marks})",
            [[_plain(row.get(column)) for column in columns] for row in rows],
        )


def waiting(settings: Settings, reference: str, as_of: datetime) -> tuple[int, list[dict[str, Any]]]:
    """The rows that began by ``as_of`` and no load has taken yet, as they were written, and the number of the last one.

    Later ones belong to a later run: so a run for an instant of the past takes in what was known by then.
    """
    if not settings.operations_log.exists():
        return 0, []
    columns = tuple(REFERENCES[reference][1])
    with _opened(settings) as log:
        rows = log.execute(
            f"select rowid, {', '.join(columns)} from {reference}"
            " where load_id is null and started_at <= ? order by rowid",
            [_plain(as_of)],
        ).fetchall()
    return (rows[-1][0] if rows else 0), [dict(zip(columns, row[1:], strict=True)) for row in rows]


def mark_taken(settings: Settings, reference: str, last: int, load_id: int, as_of: datetime) -> None:
    """Note that a load holds the rows of :func:`waiting` up to the ``last``, and drop those that it has held for long."""
    with _opened(settings) as log:
        log.execute(
            f"update {reference} set load_id = ? where load_id is null and rowid <= ? and started_at <= ?",
            [load_id, last, _plain(as_of)],
        )
        log.execute(f"delete from {reference} where load_id is not null and started_at < ?", [_plain(as_of - _KEPT)])


def known_services(settings: Settings) -> tuple[str, ...]:
    """The services that the log holds probes of: those of the last day at least."""
    if not settings.operations_log.exists():
        return ()
    with _opened(settings) as log:
        rows = log.execute("select distinct service from service_probes order by service").fetchall()
    return tuple(service for (service,) in rows)


@contextmanager
def _opened(settings: Settings) -> Iterator[sqlite3.Connection]:
    """The log in a transaction that the end of the block commits."""
    try:
        with closing(sqlite3.connect(settings.operations_log, timeout=_BUSY_SECONDS, isolation_level=None)) as log:
            # Takes the write lock at once and waits for it: a lock that is raised later, or a change of the journal's
            # mode, gives up at once when another process is at it.
            log.execute("begin immediate")
            for reference in LOGGED:
                columns = ", ".join(REFERENCES[reference][1])
                log.execute(f"create table if not exists {reference} ({columns}, load_id integer)")
            yield log
            log.execute("commit")
    except (sqlite3.Error, OSError) as error:
        raise WorkFailedError(
            f"The operations log {settings.operations_log} can't be used: {error}.",
            "Free space, make it writable, or move it away: a new one is begun.",
        ) from error


def _plain(value: object) -> object:
    """Instants as text that sorts by time."""
    return value.astimezone(UTC).isoformat(timespec="microseconds") if isinstance(value, datetime) else value
