"""Loads: one file, or one output of a source, taken in whole or not at all, exactly once.

A load is known by its content hash and leaves one row in ``ops.load_log``. Small files share a transaction,
a large one has its own.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from threading import Lock

import duckdb
import pyarrow as pa

from pipelines.errors import TrueliftError, UserError
from pipelines.ingestion.files import SeenFile, archive_landed, check_paths, look_at, recorded_name, reference_of
from pipelines.ingestion.lines import (
    CHUNK_BYTES,
    UnreadableFileError,
    chunked,
    read_ahead,
    read_chunks,
    read_parquet_chunks,
    require_unchanged,
    with_load_id,
)
from pipelines.ingestion.references import ReferenceCounts, load_reference_file
from pipelines.ingestion.store import EventStore
from pipelines.ingestion.tally import Load, Tally
from pipelines.lake.connection import Lake, transaction
from pipelines.lake.tables import LOAD_LOG
from quality.contracts import load_contract

Progress = Callable[[str, int, int], None]
"""Receives the name of what is being read, the bytes done and the bytes in all."""

LANDING = "landing"
"""Source of the loads of event files and reference inputs as they are; others are named after their mapping."""

_BATCH_BYTES = CHUNK_BYTES
_COMPRESSION = 8
_READERS = 2


@dataclass(frozen=True)
class LoadResult:
    """What became of one load: a row of ``ops.load_log`` (its columns are explained there).

    ``status`` is ``loaded``, ``known`` (the same content was loaded before; nothing was done) or ``failed``.
    """

    source: str
    target: str
    source_file: str
    content_hash: str
    bytes: int
    status: str = "loaded"
    error: str | None = None
    load_id: int | None = None
    conversions: str = "emitted"
    source_rows: int | None = None
    lines: int = 0
    accepted: int = 0
    late: int = 0
    replaced: int = 0
    duplicates: int = 0
    rejected: int = 0
    filtered: int = 0
    rejected_by_reason: tuple[tuple[str, int], ...] = ()
    pii_masked: int = 0
    min_timestamp: datetime | None = None
    max_timestamp: datetime | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class EventInput:
    """Lines that make one load: where they come from and how to read them (tables of lines.LINES), repeatably."""

    source: str
    source_file: str
    content_hash: str
    bytes: int
    chunks: Callable[[], Iterable[pa.Table]]
    conversions: str = "emitted"
    historical: bool = False
    source_rows: int | None = None
    filtered: int = 0


@dataclass(frozen=True)
class _Landed:
    """A path that was looked at: event lines, a reference input, content that is known, or an error."""

    path: Path
    file: SeenFile | None
    reference: str | None = None
    events: EventInput | None = None
    error: TrueliftError | None = None


def ingest_files(
    lake: Lake,
    paths: Sequence[Path],
    *,
    ingested_at: datetime,
    backfill: bool = False,
    progress: Progress | None = None,
) -> list[LoadResult]:
    """Take in event files and reference inputs; landed ones are archived once they are committed.

    ``backfill`` lifts the age limit for these loads. A file that can't be read whole gives a ``failed`` result, and
    the others are taken in all the same. Raises UserError for a path that is no such file.
    """
    check_paths(paths)
    with open_ingestion(lake, ingested_at=ingested_at, backfill=backfill, progress=progress) as ingestion:
        return ingestion.load_files(paths)


@contextmanager
def open_ingestion(
    lake: Lake, *, ingested_at: datetime, backfill: bool = False, progress: Progress | None = None
) -> Iterator[Ingestion]:
    """A writing session for loads, under the writer lock."""
    with lake.writer() as connection:
        yield Ingestion(lake, connection, ingested_at, backfill, progress or (lambda *_: None))


class Ingestion:
    """The loads of one writing session. Use :func:`open_ingestion`."""

    def __init__(
        self,
        lake: Lake,
        connection: duckdb.DuckDBPyConnection,
        ingested_at: datetime,
        backfill: bool,
        progress: Progress,
    ) -> None:
        self.connection = connection
        self.ingested_at = ingested_at
        self._settings = lake.settings
        self._backfill = backfill
        self._progress = progress
        self._telling, self._told = Lock(), 0
        self._store = EventStore(connection, load_contract(), lake.settings, ingested_at)
        rows = connection.execute("select content_hash from lake.ops.load_log where status = 'loaded'").fetchall()
        self._known = {known for (known,) in rows}

    def load_files(self, paths: Sequence[Path]) -> list[LoadResult]:
        """Load files in their order; small event files side by side in one transaction."""
        results: list[LoadResult] = []
        self._told = 0
        total = sum(_size(path) for path in paths)
        for batch in read_ahead(self._batches(paths, total)):
            waiting: dict[str, _Landed] = {}
            for each in batch:
                digest = each.file.content_hash if each.file else ""
                if each.reference or digest in waiting:
                    results += self._load_batch(list(waiting.values()))
                    waiting.clear()
                if each.error:
                    results.append(self.log_failure(self._describe(each.path, digest), each.error))
                elif each.file and self.is_known(digest):
                    archive_landed(self._settings, each.file)
                    results.append(replace(self._describe(each.path, digest), status="known"))
                elif each.file and each.reference:
                    results.append(self._load_reference(each.file, each.reference))
                else:
                    waiting[digest] = each
            results += self._load_batch(list(waiting.values()))
        self._tell("", total, total)
        return results

    def load_events(
        self, *inputs: EventInput, then: Callable[[list[LoadResult]], None] | None = None
    ) -> list[LoadResult]:
        """Load inputs in one transaction: all of them or, when one can't be read, none (UnreadableFileError).

        ``then`` does what belongs to the same transaction.
        """
        begin = time.perf_counter()
        with transaction(self.connection):
            first_id = self._next_load_id()
            loads = {
                first_id + index: Load(
                    first_id + index, each.source_file, each.historical or self._backfill, each.source == LANDING
                )
                for index, each in enumerate(inputs)
            }
            by_id = dict(zip(loads, inputs, strict=True))
            tallies = {load_id: Tally() for load_id in loads}
            tables = (with_load_id(table, load_id) for load_id, each in by_id.items() for table in each.chunks())
            for chunk in read_ahead(chunked(tables, CHUNK_BYTES)):
                self._store.store(chunk, list(loads.values()), tallies)
            for load_id, tally in tallies.items():
                if tally.superseded_lines:
                    self._settle_superseded(loads[load_id], by_id[load_id], tallies)
            seconds = time.perf_counter() - begin
            lines = sum(tally.lines for tally in tallies.values()) or 1
            results = [
                _event_result(load_id, by_id[load_id], tally, seconds * tally.lines / lines)
                for load_id, tally in tallies.items()
            ]
            self.log(results)
            if then:
                then(results)
        self._known |= {each.content_hash for each in inputs}
        return results

    def load_reference(self, described: LoadResult, load: Callable[[int], ReferenceCounts]) -> LoadResult:
        """Load one reference input in a transaction: ``load`` receives the load id and gives the counts."""
        begin = time.perf_counter()
        with transaction(self.connection):
            load_id = self._next_load_id()
            counts = load(load_id)
            result = replace(
                described,
                load_id=load_id,
                lines=counts.lines,
                accepted=counts.accepted,
                replaced=counts.replaced,
                duplicates=counts.duplicates,
                rejected=counts.rejected,
                filtered=counts.filtered,
                rejected_by_reason=tuple(sorted(counts.rejected_by_reason.items())),
                pii_masked=counts.pii_masked,
                seconds=time.perf_counter() - begin,
            )
            self.log([result])
        self._known.add(described.content_hash)
        return result

    def is_known(self, content_hash: str) -> bool:
        """Whether a load with this content was committed before."""
        return content_hash in self._known

    def log(self, results: Sequence[LoadResult]) -> None:
        """Write the rows of the load log."""
        columns = ", ".join(LOAD_LOG)
        # One statement: as many as there are rows would each write to the lake.
        self.connection.register("log_rows", pa.Table.from_pylist([self._log_row(result) for result in results]))
        self.connection.execute(f"insert into lake.ops.load_log ({columns}) select {columns} from log_rows")
        self.connection.unregister("log_rows")

    def _log_row(self, result: LoadResult) -> dict[str, object]:
        derived = {
            "rejected_by_reason": json.dumps(dict(result.rejected_by_reason)),
            "ingested_at": self.ingested_at.replace(tzinfo=None),
            "events_per_second": result.lines / result.seconds if result.seconds else None,
        }
        return {column: derived[column] if column in derived else getattr(result, column) for column in LOAD_LOG}

    def _batches(self, paths: Sequence[Path], total: int) -> Iterator[list[_Landed]]:
        """What landed, read as far as it is small, in batches of about a chunk."""
        batch: list[tuple[Path, int]] = []
        batch_bytes = done = 0

        def look(each: tuple[Path, int]) -> _Landed:
            return self._look(*each, total)

        with ThreadPoolExecutor(_READERS) as readers:
            for path in paths:
                batch.append((path, done))
                done += _size(path)
                batch_bytes += _expanded_bytes(path)
                if batch_bytes >= _BATCH_BYTES:
                    yield list(readers.map(look, batch))
                    batch, batch_bytes = [], 0
            yield list(readers.map(look, batch))

    def _look(self, path: Path, done: int, total: int) -> _Landed:
        file = None
        try:
            file, reference = look_at(path), reference_of(path)
            if reference or self.is_known(file.content_hash):
                return _Landed(path, file, reference)
            events = self._file_input(file, done, total)
            # Small files are read before the transaction begins, so that a damaged one spoils no other.
            return _Landed(path, file, events=_held(events) if _expanded_bytes(path) < _BATCH_BYTES else events)
        except (UnreadableFileError, UserError) as error:
            return _Landed(path, file, error=error)

    def _load_batch(self, batch: Sequence[_Landed]) -> list[LoadResult]:
        """Load event files in one transaction, or one by one when one of them turns out unreadable."""
        inputs = [each.events for each in batch if each.events]
        if not inputs:
            return []
        try:
            results = self.load_events(*inputs)
        except UnreadableFileError as error:
            if len(batch) > 1:
                return [result for each in batch for result in self._load_batch([each])]
            return [self.log_failure(self._describe(batch[0].path, inputs[0].content_hash), error)]
        for each in batch:
            if each.file:
                archive_landed(self._settings, each.file)
        return results

    def _load_reference(self, file: SeenFile, reference: str) -> LoadResult:
        described = replace(self._describe(file.path, file.content_hash), target=reference)

        def load(load_id: int) -> ReferenceCounts:
            counts = load_reference_file(
                self.connection,
                reference,
                file.path,
                load_id=load_id,
                ingested_at=self.ingested_at,
                pii_key=self._settings.pii_key(),
                source_file=described.source_file,
            )
            require_unchanged(file.path, file.identity)
            return counts

        try:
            result = self.load_reference(described, load)
        except (UnreadableFileError, UserError) as error:
            return self.log_failure(self._describe(file.path, ""), error)
        archive_landed(self._settings, file)
        return result

    def _describe(self, path: Path, digest: str) -> LoadResult:
        name = recorded_name(self._settings, path)
        return LoadResult(source=LANDING, target="events", source_file=name, content_hash=digest, bytes=_size(path))

    def _file_input(self, file: SeenFile, done: int, total: int) -> EventInput:
        described = self._describe(file.path, file.content_hash)
        read = read_parquet_chunks if file.path.suffix == ".parquet" else read_chunks

        def chunks() -> Iterator[pa.Table]:
            yield from read(file.path, lambda read_bytes: self._tell(described.source_file, done + read_bytes, total))
            require_unchanged(file.path, file.identity)

        return EventInput(
            source=described.source,
            source_file=described.source_file,
            content_hash=file.content_hash,
            bytes=file.bytes,
            chunks=chunks,
        )

    def _settle_superseded(self, load: Load, each: EventInput, tallies: dict[int, Tally]) -> None:
        """Move lines of earlier chunks, whose id a later chunk repeats, from accepted to duplicates."""
        tally = tallies[load.load_id]
        wanted = pa.array(tally.superseded_lines, pa.int64())
        for table in each.chunks():
            found = table.filter(pa.compute.is_in(table["source_line"], wanted))
            if found.num_rows:
                self._store.quarantine_superseded(with_load_id(found, load.load_id), [load], tallies)
        tally.accepted -= len(tally.superseded_lines)
        tally.duplicates += len(tally.superseded_lines)

    def log_failure(self, described: LoadResult, error: TrueliftError) -> LoadResult:
        """Note that something could not be taken in, and why."""
        result = replace(described, status="failed", error=str(error))
        with transaction(self.connection):
            self.log([result])
        return result

    def _tell(self, name: str, done: int, total: int) -> None:
        """Report progress of readers that work side by side: what is done never shrinks."""
        with self._telling:
            self._told = max(self._told, done)
            self._progress(name, self._told, total)

    def _next_load_id(self) -> int:
        rows = self.connection.execute("select coalesce(max(load_id), 0) + 1 from lake.ops.load_log").fetchall()
        return int(rows[0][0])


def _event_result(load_id: int, each: EventInput, tally: Tally, seconds: float) -> LoadResult:
    return LoadResult(
        source=each.source,
        target="events",
        source_file=each.source_file,
        content_hash=each.content_hash,
        bytes=each.bytes,
        load_id=load_id,
        conversions=each.conversions,
        source_rows=each.source_rows,
        lines=tally.lines + each.filtered,
        accepted=tally.accepted,
        late=tally.late,
        replaced=tally.replaced,
        duplicates=tally.duplicates,
        rejected=tally.rejected,
        filtered=each.filtered,
        rejected_by_reason=tuple(tally.by_reason.items()),
        pii_masked=tally.pii_masked,
        min_timestamp=tally.min_timestamp,
        max_timestamp=tally.max_timestamp,
        seconds=seconds,
    )


def _held(each: EventInput) -> EventInput:
    tables = list(each.chunks())
    return replace(each, chunks=lambda: tables)


def _expanded_bytes(path: Path) -> int:
    return _size(path) * (_COMPRESSION if path.suffix in (".gz", ".zst", ".parquet") else 1)


def _size(path: Path) -> int:
    """Bytes of a file; 0 when it has gone, of which reading it will tell."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
