"""Connections to the lake: one in-memory DuckDB with the DuckLake catalog attached as ``lake``."""

from __future__ import annotations

import importlib.util
import itertools
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from pipelines.errors import DISK_FULL, FREE_SPACE, UserError, WorkFailedError, is_disk_full
from pipelines.lake.lock import file_lock, postgres_lock
from pipelines.lake.tables import SCHEMAS, create_tables
from pipelines.settings import Settings
from quality.contracts import load_contract

ALIAS = "lake"

_KEPT_BLOCKS = "512MB"
"""Memory for blocks that is used again and again; a gigabyte saved a few more page faults, and stayed occupied."""

_connection_numbers = itertools.count(1)


@dataclass(frozen=True)
class Lake:
    """The warehouse of one deployment; opens connections for readers and, one at a time, for writers."""

    settings: Settings

    @contextmanager
    def reader(self, version: int | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """A read-only connection; never waits for a writer. Raises UserError when there is no lake yet.

        With a ``version`` every query through it sees the lake as that snapshot left it.
        """
        if self.settings.has_sqlite_catalog and not Path(self.settings.catalog_url).exists():
            raise self._no_lake()
        with _faults_explained(), closing(connect(self.settings)) as connection:
            attach(connection, self.settings, read_only=True, version=version)
            if not _has_tables(connection):
                raise self._no_lake()
            yield connection

    @contextmanager
    def writer(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A writing connection, under the writer lock, to a lake that has all its tables.

        Raises WorkFailedError when the disk is full, or memory runs out, inside the block.
        """
        with _faults_explained(), self.writing(), closing(connect(self.settings)) as connection:
            attach(connection, self.settings)
            with transaction(connection):  # killed halfway, there is no lake rather than a part of one
                create_tables(connection, load_contract())
            yield connection

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the right to write, for sessions that open their own connection (dbt)."""
        timeout = self.settings.writer_lock_timeout_seconds
        if self.settings.has_sqlite_catalog:
            lock = file_lock(self.settings.lake_dir / "writer.lock", timeout)
        else:
            lock = postgres_lock(self.settings.catalog_url, timeout)
        with lock:
            yield

    def _no_lake(self) -> UserError:
        where = self.settings.catalog_url if self.settings.has_sqlite_catalog else "TRUELIFT_CATALOG"
        return UserError(
            f"There is no lake at {where} yet.",
            "Run `truelift run` (or `make demo`) first, or point TRUELIFT_HOME at an existing one.",
        )


def lake_time(instant: datetime) -> datetime:
    """An instant as the lake's columns hold it: UTC, without a zone."""
    return instant.astimezone(UTC).replace(tzinfo=None)


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Commit the block as one, or roll all of it back."""
    connection.execute("begin transaction")
    try:
        yield
        connection.execute("commit")
    except BaseException:
        _roll_back(connection)
        raise


@contextmanager
def _faults_explained() -> Iterator[None]:
    """Turn what the machine refuses (space, memory) into errors for people; other errors stay defects."""
    try:
        yield
    except (duckdb.Error, OSError) as error:
        if is_disk_full(error):
            raise WorkFailedError(
                f"{DISK_FULL}: {_first_line(error)}. Nothing of this step was kept.", FREE_SPACE
            ) from error
        if isinstance(error, duckdb.OutOfMemoryException):
            raise WorkFailedError(
                f"Memory ran out: {_first_line(error)}. Nothing of this step was kept.",
                "Raise TRUELIFT_MEMORY_LIMIT, lower TRUELIFT_THREADS, or free disk space to spill to.",
            ) from error
        raise


def connect(settings: Settings) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB with the extensions loaded, limits set and UTC as its zone; no lake attached."""
    connection = duckdb.connect(":memory:")
    configure(connection, settings)
    return connection


def configure(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Load the extensions that the installed packages ship, so that nothing needs the network."""
    connection.execute("set autoinstall_known_extensions = false")
    connection.execute("set autoload_known_extensions = false")
    for name in ("json", "parquet", "icu", "ducklake"):
        load_extension(connection, name)
    load_extension(connection, "sqlite_scanner" if settings.has_sqlite_catalog else "postgres_scanner")
    connection.execute("set TimeZone = 'UTC'")
    connection.execute(f"set threads = {int(settings.threads)}")
    connection.execute("set memory_limit = $limit", {"limit": settings.memory_limit})
    # Memory is kept for the next statement: giving it back and asking for fresh pages costs more than using it.
    for threshold in ("allocator_flush_threshold", "allocator_bulk_deallocation_flush_threshold"):
        connection.execute(f"set {threshold} = $limit", {"limit": settings.memory_limit})
    connection.execute("set block_allocator_memory = $kept", {"kept": _KEPT_BLOCKS})
    # Two databases that spill into one folder overwrite each other's files and crash.
    spill = settings.lake_dir / "tmp" / f"{os.getpid()}-{next(_connection_numbers)}"
    spill.parent.mkdir(parents=True, exist_ok=True)
    connection.execute("set temp_directory = $path", {"path": str(spill)})
    connection.execute("set preserve_insertion_order = false")
    connection.execute("set enable_progress_bar = false")


def load_extension(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Load a DuckDB extension from its ``duckdb-extension-*`` package."""
    spec = importlib.util.find_spec(f"duckdb_extension_{name}")
    if spec is None or not spec.submodule_search_locations:
        package = f"duckdb-extension-{name.replace('_', '-')}=={duckdb.__version__}"
        raise UserError(f"The DuckDB extension {name} is not installed.", f"Install {package}.")
    folder = Path(spec.submodule_search_locations[0]) / "extensions" / f"v{duckdb.__version__}"
    file = folder / f"{name}.duckdb_extension"
    if not file.exists():
        raise UserError(
            f"The DuckDB extension {name} does not fit DuckDB {duckdb.__version__}.",
            f"Install duckdb-extension-{name.replace('_', '-')}=={duckdb.__version__}.",
        )
    connection.load_extension(str(file))


def attach(
    connection: duckdb.DuckDBPyConnection, settings: Settings, *, read_only: bool = False, version: int | None = None
) -> None:
    """Attach the DuckLake catalog as ``lake``, creating it on a writer's first use."""
    scheme = "sqlite" if settings.has_sqlite_catalog else "postgres"
    if settings.has_sqlite_catalog:
        Path(settings.catalog_url).parent.mkdir(parents=True, exist_ok=True)
    options = f"data_path {_literal(settings.data_path)}"
    if read_only:
        options += ", read_only"
    if version is not None:
        options += f", snapshot_version {int(version)}"
    if settings.has_sqlite_catalog:
        # In SQLite's default journal mode a commit waits for readers, new readers wait for it, and soon both give up.
        options += ", meta_busy_timeout 30000" + ("" if read_only else ", meta_journal_mode 'WAL'")
    try:
        connection.execute(f"attach {_literal(f'ducklake:{scheme}:{settings.catalog_url}')} as {ALIAS} ({options})")
    except duckdb.Error as error:
        if is_disk_full(error):
            raise
        raise WorkFailedError(
            f"The lake's catalog can't be opened: {_without_secret(str(error), settings)}",
            "Check TRUELIFT_CATALOG and TRUELIFT_DATA_PATH; `truelift doctor` tells more.",
        ) from None


def _without_secret(message: str, settings: Settings) -> str:
    return message.replace(settings.catalog_url, "TRUELIFT_CATALOG") if not settings.has_sqlite_catalog else message


def _has_tables(connection: duckdb.DuckDBPyConnection) -> bool:
    query = "select 1 from duckdb_schemas() where database_name = $lake and schema_name = $last"
    return bool(connection.execute(query, {"lake": ALIAS, "last": SCHEMAS[-1]}).fetchall())


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".")


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _roll_back(connection: duckdb.DuckDBPyConnection) -> None:
    try:
        connection.execute("rollback")
    except duckdb.Error:  # the failed statement already ended the transaction
        return
