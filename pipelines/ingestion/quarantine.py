"""The quarantine for people: what lies in it, and releasing lines that are repaired or that the rules now accept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from pipelines.errors import UserError
from pipelines.ingestion.lines import lines_of
from pipelines.ingestion.load import EventInput, LoadResult, open_ingestion
from pipelines.lake.connection import Lake
from quality.contracts import REASONS

SOURCE = "quarantine"
"""Source of the loads that retries make; a line that fails again is not quarantined a second time."""

_HOW_TO_REPAIR = "Write it with `truelift quarantine list --format json`, edit raw_line, and give it back."


@dataclass(frozen=True)
class QuarantinedLine:
    """One line that waits in quarantine; load and line number name it."""

    load_id: int
    source_line: int
    raw_line: str
    source_file: str = ""
    reasons: tuple[str, ...] = ()
    details: str = ""
    ingested_at: datetime | None = None


def waiting_lines(
    lake: Lake, *, reason: str | None = None, load_id: int | None = None, limit: int | None = None
) -> list[QuarantinedLine]:
    """Lines of event files not released yet, newest load first. Raises UserError for an unknown reason."""
    if reason is not None and reason not in REASONS:
        raise UserError(f"{reason!r} is no reason of rejection.", f"Choose one of: {', '.join(REASONS)}.")
    with lake.reader() as connection:
        rows = connection.execute(
            """
            select q.load_id, q.source_line, q.raw_line, q.source_file, q.reasons, q.details, q.ingested_at
            from lake.raw.quarantine as q
            inner join lake.ops.load_log as l on q.load_id = l.load_id
            where released_at is null and l.target = 'events'
                and ($reason is null or list_contains(q.reasons, $reason))
                and ($load_id is null or q.load_id = $load_id)
            order by q.load_id desc, q.source_line
            limit $limit
            """,
            {"reason": reason, "load_id": load_id, "limit": limit if limit is not None else (1 << 62)},
        ).fetchall()
    return [
        QuarantinedLine(load, line, raw, file, tuple(reasons), details, at)
        for load, line, raw, file, reasons, details, at in rows
    ]


def repaired_lines(path: Path) -> list[QuarantinedLine]:
    """Lines as `truelift quarantine list --format json` prints them, their ``raw_line`` edited.

    Raises UserError naming the entry that can't be understood.
    """
    try:
        entries = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(f"{path} does not hold quarantined lines: {error}.", _HOW_TO_REPAIR) from error
    if not isinstance(entries, list):
        raise UserError(f"{path} does not hold a list of quarantined lines.", _HOW_TO_REPAIR)
    return [_repaired_line(path, number, entry) for number, entry in enumerate(entries, start=1)]


def _repaired_line(path: Path, number: int, entry: Any) -> QuarantinedLine:
    kinds: Mapping[str, type] = {"load_id": int, "source_line": int, "raw_line": str}
    for name, kind in kinds.items():
        if not (isinstance(entry, dict) and isinstance(entry.get(name), kind)):
            wanted = "text" if kind is str else "whole number"
            raise UserError(f"Entry {number} of {path} has no {wanted} as {name}.", _HOW_TO_REPAIR)
    return QuarantinedLine(entry["load_id"], entry["source_line"], entry["raw_line"])


def retry(
    lake: Lake, lines: Sequence[QuarantinedLine], *, ingested_at: datetime, backfill: bool = False
) -> LoadResult | None:
    """Judge lines anew as one load; those that pass, or are stored already, are marked released.

    Those that fail again stay as they are. None when there is nothing to do. Raises UserError for a line that is
    not waiting in quarantine.
    """
    if not lines:
        return None
    with open_ingestion(lake, ingested_at=ingested_at, backfill=backfill) as ingestion:
        connection = ingestion.connection
        retried = pa.table(
            {
                "number": pa.array(range(1, len(lines) + 1), pa.int64()),
                "load_id": pa.array([line.load_id for line in lines], pa.int64()),
                "source_line": pa.array([line.source_line for line in lines], pa.int64()),
            }
        )
        connection.register("retried", retried)
        unknown = connection.execute(
            """
            from retried anti join (
                select q.load_id, q.source_line
                from lake.raw.quarantine as q
                inner join lake.ops.load_log as l on q.load_id = l.load_id
                where released_at is null and l.target = 'events'
            ) using (load_id, source_line) limit 1
            """
        ).fetchall()
        if unknown:
            raise UserError(
                f"Line {unknown[0][2]} of load {unknown[0][1]} is not waiting in quarantine.",
                "See `truelift quarantine list`.",
            )
        [result] = ingestion.load_events(
            _retry_input(lines, ingested_at),
            then=lambda results: _release(connection, results[0].load_id, ingested_at),
        )
    return result


def _release(connection: duckdb.DuckDBPyConnection, load_id: int | None, at: datetime) -> None:
    """Mark as released what ``load_id`` took in of temp table ``retried``; what fails again is not kept twice."""
    connection.execute(
        """
        create or replace temp table failed_again as
        select source_line as number from lake.raw.quarantine
        where load_id = $load_id and reasons <> ['duplicate_event_id']
        """,
        {"load_id": load_id},
    )
    connection.execute("delete from lake.raw.quarantine where load_id = $load_id", {"load_id": load_id})
    connection.execute(
        """
        update lake.raw.quarantine as q set released_at = $at, released_by_load_id = $load_id
        from (from retried anti join failed_again using (number)) as released
        where q.load_id = released.load_id and q.source_line = released.source_line
        """,
        {"at": at.replace(tzinfo=None), "load_id": load_id},
    )


def _retry_input(lines: Sequence[QuarantinedLine], ingested_at: datetime) -> EventInput:
    texts = [line.raw_line for line in lines]
    digest = hashlib.sha256(json.dumps([ingested_at.isoformat(), texts]).encode()).hexdigest()
    table = lines_of(texts)
    return EventInput(
        source=SOURCE,
        source_file=SOURCE,
        content_hash=digest,
        bytes=sum(len(text.encode()) for text in texts),
        chunks=lambda: [table],
    )
