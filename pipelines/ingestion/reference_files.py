"""Rows of reference inputs on their way in: temp table ``reference_incoming(source_line, cells)``, each cell a text.

Reads CSV, Parquet and Arrow rows; judges nothing.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO

import duckdb
import pyarrow as pa
import pyarrow.parquet

from pipelines.errors import UserError
from pipelines.ingestion.lines import UnreadableFileError, open_file

_INCOMING = pa.schema([("source_line", pa.int64()), ("cells", pa.list_(pa.string()))])
_BATCH_ROWS = 50_000


def take_file(connection: duckdb.DuckDBPyConnection, path: Path) -> list[str]:
    """Fill ``reference_incoming`` from a CSV or Parquet file; return its columns in lower case.

    Raises UserError for a file that is no CSV text, UnreadableFileError for one that can't be read.
    """
    return _take_parquet(connection, path) if path.suffix == ".parquet" else _take_csv(connection, path)


def _take_csv(connection: duckdb.DuckDBPyConnection, path: Path) -> list[str]:
    """Fill ``reference_incoming`` from a CSV file; return its header."""
    with open_file(path) as (_, stream):
        rows = _csv_rows(path, stream)
        _, cells = next(rows, (0, []))
        header = [name.strip().lower() for name in cells]
        if repeated := sorted({name for name in header if header.count(name) > 1}):
            raise UserError(
                f"{path.name} names the column {repeated[0]} twice in its header.",
                "Give every column a name of its own.",
            )
        _create_incoming(connection)
        while chunk := list(islice(rows, _BATCH_ROWS)):
            lines, texts = zip(*chunk, strict=True)
            _insert_incoming(connection, pa.record_batch([lines, texts], schema=_INCOMING), "cells")
    return header


def _csv_rows(path: Path, stream: IO[bytes]) -> Iterator[tuple[int, list[str]]]:
    """Each row with the number of the line on which it begins. Strict: after a stray quote no row can be trusted."""
    mark = stream.read(2)
    stream.seek(0)
    encoding = "utf-16" if mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
    reader = csv.reader(io.TextIOWrapper(stream, encoding, newline=""), strict=True)
    first_line = 1
    try:
        for row in reader:
            if row:
                yield first_line, row
            first_line = reader.line_num + 1
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(
            f"{path.name} can't be read as CSV: {error}, in or after line {first_line}.",
            "Save it as UTF-8, commas between the cells and quotes around cells that hold commas, quotes or line ends.",
        ) from error


def _take_parquet(connection: duckdb.DuckDBPyConnection, path: Path) -> list[str]:
    """Fill ``reference_incoming`` from a Parquet file; return its columns."""
    try:
        with pa.parquet.ParquetFile(path) as file:
            return take_rows(connection, file.schema_arrow.names, file.iter_batches(_BATCH_ROWS))
    except (pa.ArrowException, OSError) as error:
        raise UnreadableFileError(
            f"{path.name} can't be read as Parquet: {error}.", "Deliver the whole file again; nothing of it was kept."
        ) from error


def take_rows(
    connection: duckdb.DuckDBPyConnection, columns: Sequence[str], rows: Iterable[pa.RecordBatch]
) -> list[str]:
    """Fill ``reference_incoming`` from typed rows, each cell as its text; return the columns."""
    names = [f"c{index}" for index in range(len(columns))]
    texts = ", ".join(f"{name}::varchar" for name in names)
    _create_incoming(connection)
    first = 1
    for batch in rows:
        lines = pa.array(range(first, first + batch.num_rows), pa.int64())
        numbered = pa.record_batch([lines, *batch.columns], names=["source_line", *names])
        _insert_incoming(connection, numbered, f"[{texts}]")
        first += batch.num_rows
    return [column.strip().lower() for column in columns]


def _create_incoming(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("create or replace temp table reference_incoming (source_line bigint, cells varchar[])")


def _insert_incoming(connection: duckdb.DuckDBPyConnection, batch: pa.RecordBatch, cells: str) -> None:
    connection.register("reference_batch", batch)
    connection.execute(f"insert into reference_incoming select source_line, {cells} from reference_batch")
    connection.unregister("reference_batch")
