"""Maintenance: expires what nobody may go back to, compacts files, deletes what the catalog does not know.

Rows are never flushed from the catalog into files, because none are kept in it (:mod:`pipelines.lake.tables`).
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from pipelines.errors import WorkFailedError
from pipelines.lake.audit import forget_superseded_results
from pipelines.lake.connection import Lake
from pipelines.lake.pinning import METADATA
from pipelines.lake.publishing import pinned_versions
from pipelines.operations.queries import logged_step

REWRITE_THRESHOLD = 0.2
"""Share of deleted rows from which a file is written anew."""

CROWD = 8
SMALL_BYTES = 16 << 20
"""A table with a crowd of small files with deleted rows has all of them written anew: they can't be merged as they are."""

READER_GRACE = timedelta(hours=1)
"""How long files stay on disk at least after they were replaced, for queries that began before."""

FOREIGN_WRITER_GRACE = timedelta(days=1)
"""Files younger than this may belong to a commit in progress where several processes write (Postgres catalog)."""


@dataclass(frozen=True)
class Footprint:
    """Data and delete files that the catalog keeps, over all versions, and their bytes."""

    files: int
    bytes: int


@dataclass(frozen=True)
class MaintenanceReport:
    """What one maintenance did. ``waiting_files`` are replaced already and deleted by a later maintenance."""

    before: Footprint
    after: Footprint
    snapshots_expired: int
    snapshots_kept: int
    pinned: tuple[int, ...]
    files_deleted: int
    orphans_deleted: int
    waiting_files: int
    spill_folders_deleted: int
    archive_files_deleted: int
    archive_bytes_deleted: int
    check_results_deleted: int
    catalog_bytes_before: int
    catalog_bytes_after: int
    seconds: float


@logged_step("maintenance")
def maintain(lake: Lake, as_of: datetime, *, at_once: bool = False) -> MaintenanceReport:
    """Tidy the whole lake, as one writer; ages are counted back from ``as_of``.

    Snapshots older than the retention are expired, except those that the current and the last publications need.
    Files that were replaced today stay for queries that are running, unless they must go ``at_once``.
    """
    begin = time.perf_counter()
    settings = lake.settings
    with lake.writing():
        catalog_before = _catalog_bytes(lake)
        with lake.writer() as connection:
            before = _footprint(connection)
            pinned = pinned_versions(connection)
            results = forget_superseded_results(connection, as_of - timedelta(days=settings.archive_retention_days))
            expired = _expire(connection, pinned, as_of - timedelta(days=settings.snapshot_retention_days))
            _rewrite(connection)
            connection.execute("call ducklake_merge_adjacent_files('lake')")
            deleted = _delete_files(connection, "cleanup_old_files", None if at_once else _end_of_day_before(as_of))
            # With the writer lock held nobody else has files that are not committed yet, however young they are.
            orphan_age = None if settings.has_sqlite_catalog else as_of - FOREIGN_WRITER_GRACE
            orphans = _delete_files(connection, "delete_orphaned_files", orphan_age)
            after = _footprint(connection)
            kept = _count(connection, "select count(*) from ducklake_snapshots('lake')")
            waiting = _count(connection, f"select count(*) from {METADATA}.ducklake_files_scheduled_for_deletion")
        spills = _delete_dead_spills(settings.lake_dir / "tmp")
        archived = _purge_archive(settings.archive, as_of - timedelta(days=settings.archive_retention_days))
        _compact_catalog(lake)
        return MaintenanceReport(
            before=before,
            after=after,
            snapshots_expired=expired,
            snapshots_kept=kept,
            pinned=pinned,
            files_deleted=deleted,
            orphans_deleted=orphans,
            waiting_files=waiting,
            spill_folders_deleted=spills,
            archive_files_deleted=len(archived),
            archive_bytes_deleted=sum(archived),
            check_results_deleted=results,
            catalog_bytes_before=catalog_before,
            catalog_bytes_after=_catalog_bytes(lake),
            seconds=time.perf_counter() - begin,
        )


def _expire(connection: duckdb.DuckDBPyConnection, pinned: tuple[int, ...], older_than: datetime) -> int:
    """Expire old snapshots by an explicit list; the newest can't be expired and is never in it."""
    rows = connection.execute(
        """
        select snapshot_id from ducklake_snapshots('lake')
        where snapshot_time < $older_than and not list_contains($pinned::bigint[], snapshot_id)
            and snapshot_id < (select id from ducklake_current_snapshot('lake'))
        order by snapshot_id
        """,
        {"older_than": older_than, "pinned": list(pinned)},
    ).fetchall()
    versions = [version for (version,) in rows]
    if versions:
        connection.execute(f"call ducklake_expire_snapshots('lake', versions => {versions})")
    return len(versions)


def _rewrite(connection: duckdb.DuckDBPyConnection) -> None:
    """Write files with deleted rows anew where that pays; the old ones serve the versions that still need them."""
    tables = connection.execute(
        f"""
        select schema_name, table_name, count(*) filter (data.file_size_bytes < {SMALL_BYTES}) >= {CROWD} as is_crowded
        from {METADATA}.ducklake_delete_file as deleted
        inner join {METADATA}.ducklake_data_file as data using (data_file_id)
        inner join {METADATA}.ducklake_table as tables on data.table_id = tables.table_id
        inner join {METADATA}.ducklake_schema as schemas using (schema_id)
        where deleted.end_snapshot is null and data.end_snapshot is null
            and tables.end_snapshot is null and schemas.end_snapshot is null
        group by schema_name, table_name
        order by schema_name, table_name
        """
    ).fetchall()
    for schema, table, is_crowded in tables:
        connection.execute(
            "call ducklake_rewrite_data_files('lake', $table, schema => $schema, delete_threshold => $threshold)",
            {"schema": schema, "table": table, "threshold": 0 if is_crowded else REWRITE_THRESHOLD},
        )


def _delete_files(connection: duckdb.DuckDBPyConnection, function: str, older_than: datetime | None) -> int:
    """Delete the files that ``function`` finds, or those older than an instant; return how many."""
    call = f"call ducklake_{function}('lake', "
    if older_than is None:
        return len(connection.execute(f"{call} cleanup_all => true)").fetchall())
    return len(connection.execute(f"{call} older_than => $older_than)", {"older_than": older_than}).fetchall())


def _end_of_day_before(as_of: datetime) -> datetime:
    """The latest instant at which files that no query reads any more can have been replaced.

    On a SQLite catalog DuckLake compares it as text with another spelling of instants: only whole days come out right.
    """
    day = (as_of - READER_GRACE).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day - timedelta(microseconds=1)


def _footprint(connection: duckdb.DuckDBPyConnection) -> Footprint:
    row = connection.execute(
        f"""
        select count(*), coalesce(sum(file_size_bytes), 0)
        from (
            select file_size_bytes from {METADATA}.ducklake_data_file
            union all
            select file_size_bytes from {METADATA}.ducklake_delete_file
        )
        """
    ).fetchone()
    assert row is not None
    return Footprint(int(row[0]), int(row[1]))


def _count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def _delete_dead_spills(folder: Path) -> int:
    """Remove the spill folders (``<pid>-<number>``) of processes that ended without tidying up."""
    dead = [spill for spill in _children(folder) if spill.is_dir() and not _is_alive(spill.name.split("-")[0])]
    for spill in dead:
        shutil.rmtree(spill)
    return len(dead)


def _is_alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (ValueError, PermissionError):  # not named by us, or a process of somebody else
        return True
    return True


def _children(folder: Path) -> Iterator[Path]:
    return iter(sorted(folder.iterdir())) if folder.is_dir() else iter(())


def _purge_archive(folder: Path, older_than: datetime) -> list[int]:
    """Delete archived landing files past their age; return their sizes."""
    sizes = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and datetime.fromtimestamp(path.stat().st_mtime, UTC) < older_than:
            sizes.append(path.stat().st_size)
            path.unlink()
    return sizes


def _catalog_bytes(lake: Lake) -> int:
    path = Path(lake.settings.catalog_url)
    return path.stat().st_size if lake.settings.has_sqlite_catalog and path.exists() else 0


def _compact_catalog(lake: Lake) -> None:
    """Give the space of deleted catalog rows back to the file system; Postgres does so by itself."""
    if not lake.settings.has_sqlite_catalog:
        return
    try:
        with closing(sqlite3.connect(lake.settings.catalog_url, timeout=30, isolation_level=None)) as catalog:
            catalog.execute("pragma wal_checkpoint(truncate)")
            catalog.execute("vacuum")
    except sqlite3.Error as error:
        raise WorkFailedError(
            f"The lake is tidied, but its catalog could not be compacted: {error}.",
            "Run `truelift maintain` again when nobody reads, and with free disk space.",
        ) from error
