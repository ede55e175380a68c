r"""Reads raw lines, not parsed JSON: whatever a file holds, each of its lines arrives here as text.

A chunk is an Arrow table that DuckDB scans without copying. Undecodable bytes are written as ``\xNN`` and the
line carries the defect; nothing is dropped here.
"""

from __future__ import annotations

import codecs
import gzip
import hashlib
import io
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet

from pipelines.errors import WorkFailedError

CHUNK_BYTES = 512 << 20
"""Uncompressed bytes judged and stored at a time; bounds memory, and the number of data files from below."""
MAX_LINE_BYTES = 1 << 20
"""Longest accepted line."""
KEPT_LINE_BYTES = 16 << 20
"""Of a longer line only this much is held and quarantined; the archived file has the rest."""
MAX_NESTING = 500
"""Levels of objects and lists that a line may nest; far beyond it DuckDB's JSON functions end the process."""

TOO_LONG = "line_too_long"
NOT_UTF8 = "not_utf8"
TOO_DEEP = "too_deep"
_Block = npt.NDArray[np.uint8]
_Offsets = npt.NDArray[np.int32]
_Item = TypeVar("_Item")
Identity = tuple[int, int, int]
"""Number on the disk, size and time of the last change of a file."""
LINES = pa.schema([("source_line", pa.int64()), ("line", pa.string()), ("defect", pa.string())])

_READ_BYTES = 8 << 20
_SLICE_BYTES = 64 << 10
_GROUP_LINES = 128
_PARQUET_ROWS = 100_000
_OBJECTS = ("properties", "context")
_NEWLINE = 10
_NESTING = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[\[{]|[\]}]', re.DOTALL)
"""Texts, which may hold brackets of their own, and brackets."""
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


@dataclass(frozen=True)
class _Piece:
    """Lines with their newlines: line i lies between ``offsets`` i and i + 1. A single one, too long to hold, is cut."""

    text: _Block
    offsets: _Offsets
    is_cut: bool = False


class UnreadableFileError(WorkFailedError):
    """A file that can't be taken in whole: truncated, growing, forbidden. Nothing of it is kept."""


def read_chunks(path: Path, on_bytes: Callable[[int], None] | None = None) -> Iterator[pa.Table]:
    """The lines of a ``.jsonl``, ``.jsonl.gz`` or ``.jsonl.zst`` file as tables of :data:`LINES`.

    Line numbers begin at 1. ``on_bytes`` receives the bytes read from disk so far.
    Raises UnreadableFileError when the file can't be opened, ends early or changes while it is read.
    """
    before = identity(path)
    with open_file(path) as (raw, stream):
        yield from _tables(_whole_lines(_decoded(stream), lambda: on_bytes(raw.tell()) if on_bytes else None))
    require_unchanged(path, before)


def require_unchanged(path: Path, before: Identity) -> None:
    """Refuse, with UnreadableFileError, a file that is not as it was ``before``."""
    if identity(path) != before:
        raise UnreadableFileError(
            f"{path.name} changed while it was read: it is still being written.",
            "It is taken in by the next run; write under a name ending in .tmp and rename when it is complete.",
        )


def read_parquet_chunks(path: Path, on_bytes: Callable[[int], None] | None = None) -> Iterator[pa.Table]:
    """The rows of a Parquet file of events as JSON lines, so that they are judged like any others.

    A null stands for an absent field. Raises UnreadableFileError when the file is damaged.
    """
    with _readable(path), pyarrow.parquet.ParquetFile(path) as file, duckdb.connect() as connection:
        number, rows = 1, max(1, file.metadata.num_rows)
        connection.create_function("nests_too_deep", _text_nests_too_deep, ["VARCHAR"], "BOOLEAN")
        for batch in file.iter_batches(batch_size=_PARQUET_ROWS):
            fields = ", ".join(_json_field(field) for field in batch.schema)
            connection.register("batch", pa.Table.from_batches([batch]))
            lines = connection.execute(f"select json_merge_patch('{{}}', to_json({{{fields}}}))::varchar from batch")
            column = pa.chunked_array(
                [each.column(0).cast(pa.string()) for each in lines.to_arrow_reader()], pa.string()
            )
            numbers = pa.array(np.arange(number, number + batch.num_rows, dtype=np.int64))
            number += batch.num_rows
            if on_bytes:
                on_bytes(path.stat().st_size * (number - 1) // rows)
            yield pa.table([numbers, column, pa.nulls(batch.num_rows, pa.string())], schema=LINES)


def _json_field(field: pa.Field) -> str:
    quoted = '"' + field.name.replace('"', '""') + '"'
    is_text = pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
    if not (is_text and field.name in _OBJECTS):
        return f"{quoted}: {quoted}"
    # Writers without nested types deliver objects as JSON text. One that nests too deep stays a text: no object.
    is_deep = f"strlen({quoted}) > {2 * MAX_NESTING} and nests_too_deep({quoted})"
    return f"{quoted}: case when {is_deep} then to_json({quoted}) else try_cast({quoted} as json) end"


def with_load_id(table: pa.Table, load_id: int) -> pa.Table:
    """The lines of one load marked with its id."""
    return table.append_column("load_id", pa.repeat(pa.scalar(load_id, pa.int64()), table.num_rows))


def chunked(tables: Iterable[pa.Table], max_bytes: int) -> Iterable[pa.Table]:
    """Small tables put together to about ``max_bytes``, so that many small files cost one pass."""
    held: list[pa.Table] = []
    size = 0
    for table in tables:
        held.append(table)
        size += table.nbytes
        if size >= max_bytes:
            yield pa.concat_tables(held)
            held, size = [], 0
    if held:
        yield pa.concat_tables(held)


def read_ahead(items: Iterable[_Item]) -> Iterator[_Item]:
    """The same items; each is read while the one before it is at work."""
    iterator = iter(items)
    with ThreadPoolExecutor(max_workers=1) as reader:
        coming = reader.submit(next, iterator, None)
        while (item := coming.result()) is not None:
            coming = reader.submit(next, iterator, None)
            yield item


def lines_of(texts: Sequence[str]) -> pa.Table:
    """Lines that are at hand already as a table of :data:`LINES`, numbered from 1."""
    numbers = pa.array(range(1, len(texts) + 1), pa.int64())
    defects = pa.array([_defect(text.encode()) for text in texts], pa.string())
    return pa.table([numbers, pa.array(texts, pa.string()), defects], schema=LINES)


def content_hash(path: Path) -> str:
    """SHA-256 of the file as it lies there: the identity under which it is loaded once."""
    with _readable(path), path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    return digest.hexdigest()


@contextmanager
def open_file(path: Path) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """The file and its decompressed stream, by suffix; faults of either become UnreadableFileError."""
    with _readable(path), path.open("rb") as raw:
        if path.suffix == ".gz":
            yield raw, (io.BytesIO() if path.stat().st_size == 0 else gzip.GzipFile(fileobj=raw))  # type: ignore[misc]
        elif path.suffix == ".zst":
            yield raw, (io.BytesIO() if path.stat().st_size == 0 else pa.CompressedInputStream(raw, "zstd"))
        else:
            yield raw, raw


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error, pa.ArrowInvalid) as error:
        raise UnreadableFileError(
            f"{path.name} is damaged or truncated: {error}.", "Deliver the whole file again; nothing of it was kept."
        ) from error
    except OSError as error:
        raise UnreadableFileError(
            f"{path.name} can't be read: {error.strerror or error}.", "Check that the file is whole and readable."
        ) from error


def identity(path: Path) -> Identity:
    """What changes when a file is replaced or written to. Raises UnreadableFileError when it is gone."""
    with _readable(path):
        status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def _decoded(stream: IO[bytes]) -> Iterator[_Block]:
    """Blocks as UTF-8: a byte order mark is dropped, UTF-16 is recoded."""
    block = _read_block(stream)
    start = block[:3].tobytes()
    mark, encoding = next((pair for pair in _BOMS if start.startswith(pair[0])), (b"", "utf-8"))
    block = block[len(mark) :]
    decoder = None if encoding == "utf-8" else codecs.getincrementaldecoder(encoding)("backslashreplace")
    while len(block):
        yield block if decoder is None else _encoded(decoder.decode(block.tobytes()))
        block = _read_block(stream)
    if decoder is not None and (rest := decoder.decode(b"", final=True)):
        yield _encoded(rest)


def _read_block(stream: IO[bytes]) -> _Block:
    """The next bytes, none at the end. NumPy asks for huge pages, which cost a fraction of reading into ``bytes``.

    What does not fill a block is copied out of it, lest many small files hold a block each.
    """
    block = np.empty(_READ_BYTES, np.uint8)
    size = 0
    while size < len(block) and (count := stream.readinto(block.data[size:])):  # type: ignore[attr-defined]
        size += count
    return block if size == len(block) else block[:size].copy()


def _encoded(text: str) -> _Block:
    return np.frombuffer(text.encode("utf-8", "backslashreplace"), np.uint8)


def _whole_lines(stream: Iterator[_Block], on_block: Callable[[], None]) -> Iterator[_Piece]:
    """Pieces that end with a line. The line across two blocks is a piece of its own, so that blocks are not copied."""
    rest = b""
    is_cut = False
    for block in stream:
        on_block()
        ends = _ends(block)
        begin = 0
        if rest and len(ends):
            begin, ends = int(ends[0]), ends[1:]
            yield _single(rest + (b"\n" if is_cut else block[:begin].tobytes()), is_cut)
            rest, is_cut = b"", False
        end = int(ends[-1]) if len(ends) else begin
        if len(ends):
            yield _Piece(block[begin:end], np.concatenate(([0], ends - begin)).astype(np.int32))
        tail = block[end:].tobytes()
        is_cut = is_cut or len(rest) + len(tail) > KEPT_LINE_BYTES
        rest = (rest + tail)[:KEPT_LINE_BYTES]
    if rest:
        yield _single(rest + b"\n", is_cut)


def _ends(block: _Block) -> npt.NDArray[np.int64]:
    """Where lines end, each with its newline; looked for in slices, so that the masks stay in the cache."""
    slices = range(0, len(block), _SLICE_BYTES)
    return np.concatenate([np.flatnonzero(block[at : at + _SLICE_BYTES] == _NEWLINE) + at + 1 for at in slices])


def _single(line: bytes, is_cut: bool) -> _Piece:
    return _Piece(np.frombuffer(line, np.uint8), np.array([0, len(line)], np.int32), is_cut)


def _tables(pieces: Iterator[_Piece]) -> Iterator[pa.Table]:
    number = 1
    batches: list[pa.RecordBatch] = []
    size = 0
    for piece in pieces:
        batches.append(_batch(piece, number))
        number += batches[-1].num_rows
        size += len(piece.text)
        if size >= CHUNK_BYTES:
            yield pa.Table.from_batches(batches, LINES)
            batches, size = [], 0
    if batches:
        yield pa.Table.from_batches(batches, LINES)


def _batch(piece: _Piece, first_number: int) -> pa.RecordBatch:
    text, offsets = piece.text, piece.offsets
    count = len(offsets) - 1
    sizes = np.diff(offsets)
    undecodable = list(_undecodable(text, offsets))
    defects = dict.fromkeys(undecodable, NOT_UTF8)
    defects |= dict.fromkeys(np.flatnonzero(sizes > MAX_LINE_BYTES + 1).tolist(), TOO_LONG)
    if piece.is_cut:
        defects[0] = TOO_LONG
    long_enough = np.flatnonzero(sizes > 2 * MAX_NESTING).tolist()
    defects |= {i: TOO_DEEP for i in long_enough if nests_too_deep(text[offsets[i] : offsets[i + 1]].tobytes())}
    if undecodable:
        text, offsets = _spelled_out(text, offsets, undecodable)
    numbers = pa.array(np.arange(first_number, first_number + count, dtype=np.int64))
    lines = pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(text))
    marks = pa.array([defects.get(i) for i in range(count)], pa.string()) if defects else pa.nulls(count, pa.string())
    return pa.record_batch([numbers, lines, marks], schema=LINES)


def nests_too_deep(text: bytes) -> bool:
    """Whether JSON nests more than :data:`MAX_NESTING` levels of objects and lists."""
    if text.count(b"{") + text.count(b"[") <= MAX_NESTING:
        return False
    depth = 0
    for token in _NESTING.finditer(text):
        first = text[token.start()]
        depth += (first in b"{[") - (first in b"}]")
        if depth > MAX_NESTING:
            return True
    return False


def _defect(line: bytes) -> str | None:
    if nests_too_deep(line):
        return TOO_DEEP
    return TOO_LONG if len(line) > MAX_LINE_BYTES else None


def _text_nests_too_deep(text: str) -> bool:
    return nests_too_deep(text.encode())


def _undecodable(text: _Block, offsets: _Offsets) -> Iterator[int]:
    """The lines that are no UTF-8; looked for in groups, so that what is decoded stays in the cache."""
    count = len(offsets) - 1
    for first in range(0, count, _GROUP_LINES):
        last = min(first + _GROUP_LINES, count)
        if not _is_utf8(text[offsets[first] : offsets[last]]):
            yield from (i for i in range(first, last) if not _is_utf8(text[offsets[i] : offsets[i + 1]]))


def _is_utf8(text: _Block) -> bool:
    try:
        str(text.data, "utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _spelled_out(text: _Block, offsets: _Offsets, chosen: Iterable[int]) -> tuple[_Block, _Offsets]:
    r"""The same lines, with each undecodable byte of the ``chosen`` ones written as ``\xNN``."""
    parts: list[_Block] = []
    sizes = np.diff(offsets)
    done = 0
    for i in chosen:
        spelled = text[offsets[i] : offsets[i + 1]].tobytes().decode("utf-8", "backslashreplace").encode()
        parts += [text[done : offsets[i]], np.frombuffer(spelled, np.uint8)]
        sizes[i], done = len(spelled), offsets[i + 1]
    return np.concatenate([*parts, text[done:]]), np.concatenate(([0], np.cumsum(sizes))).astype(np.int32)
