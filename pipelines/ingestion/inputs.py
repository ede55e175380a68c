"""Inputs of a source: its files are found, hashed and opened as relations of the names that the mapping gives them.

CSV, JSON and SQLite have no types that could be relied on, so all their columns are text and empty cells null; the
columns of Parquet and Postgres keep their types.
"""

from __future__ import annotations

import csv
import hashlib
import importlib.util
import io
import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from pipelines.errors import UserError
from pipelines.ingestion.lines import content_hash, open_file
from pipelines.ingestion.mapping import Input
from pipelines.lake.connection import load_extension

_CHUNK_ROWS = 50_000


@dataclass(frozen=True)
class OpenInput:
    """An input opened on a connection as a temporary view or table of its name."""

    name: str
    origins: tuple[str, ...]
    """The files or the table, as they are shown and recorded."""
    content_hash: str
    size: int
    """Bytes of the files; 0 for a table of a database."""
    columns: tuple[str, ...]
    """Columns that every file has, in the order of the first."""
    partial_columns: tuple[tuple[str, str], ...] = ()
    """Columns that only some files have, each with one that lacks it."""


def open_input(connection: duckdb.DuckDBPyConnection, spec: Input, folders: Sequence[Path]) -> OpenInput:
    """Open one input; its files are looked for in ``folders`` and one level below, the first that has any wins.

    Raises UserError when nothing is found, a package is not installed or a file can't be read as its format.
    """
    if spec.format == "postgres":
        return _open_postgres(connection, spec)
    files = _find_files(spec, folders)
    if not files:
        empty = ", ".join(f"null::varchar as {_quoted(column)}" for column in spec.optional_columns)
        connection.execute(f"create temp view {_quoted(spec.name)} as select {empty} where false")
        return OpenInput(spec.name, (), "", 0, spec.optional_columns)
    if spec.format == "sqlite":
        return _open_sqlite(connection, spec, files[0])
    try:
        return _open_files(connection, spec, files)
    except duckdb.Error as error:
        raise UserError(
            f"{' or '.join(path.name for path in files[:3])} can't be read as {spec.format}: {first_sentence(error)}.",
            f"Check the file, and format, delimiter and encoding of input {spec.name}.",
        ) from error


def first_sentence(error: duckdb.Error) -> str:
    """What DuckDB says went wrong, without its kind of error, its advice and its picture of the statement."""
    text = str(error).split("\n\n")[0].split("\nPossible")[0].split("\nCandidate")[0]
    return re.sub(r"^[A-Z]\w+( \w+)? Error: ", "", " ".join(text.split())).rstrip(".")


def _find_files(spec: Input, folders: Sequence[Path]) -> list[Path]:
    if spec.package:
        folders = (_package_folder(spec),)
    for folder in folders:
        for pattern in (spec.files, f"*/{spec.files}"):
            found = sorted(path for path in folder.glob(pattern) if path.is_file() and not path.name.startswith("."))
            if found:
                return found
    if spec.optional_columns:
        return []
    raise UserError(
        f"No file {spec.files} for input {spec.name} in {' or '.join(map(str, folders))} (or one level below).",
        "Give the folder that holds the source's files.",
    )


def _package_folder(spec: Input) -> Path:
    """Folder of an installed package, found without importing it."""
    module = importlib.util.find_spec(spec.package)
    if module is None or not module.submodule_search_locations:
        wanted = f'pip install "truelift[{spec.extra}]"' if spec.extra else f"Install the package {spec.package}"
        raise UserError(f"Input {spec.name} needs the Python package {spec.package}.", f"{wanted}.")
    return Path(module.submodule_search_locations[0])


def _open_files(connection: duckdb.DuckDBPyConnection, spec: Input, files: Sequence[Path]) -> OpenInput:
    headers = [_columns(connection, spec, path) for path in files]
    common = [column for column in headers[0] if all(column in header for header in headers)]
    partial = {
        column: path.name
        for header in headers
        for column in header
        for path, other in zip(files, headers, strict=True)
        if column not in other
    }
    scans = [f"select {_selected(spec, common)} from {scan}" for scan in _scans(spec, files, headers)]
    connection.execute(f"create temp view {_quoted(spec.name)} as {' union all '.join(scans)}")
    digests = "".join(content_hash(path) for path in files)
    return OpenInput(
        name=spec.name,
        origins=tuple(path.name for path in files),
        content_hash=hashlib.sha256(digests.encode()).hexdigest(),
        size=sum(path.stat().st_size for path in files),
        columns=tuple(common),
        partial_columns=tuple(partial.items()),
    )


def _columns(connection: duckdb.DuckDBPyConnection, spec: Input, path: Path) -> list[str]:
    if spec.format == "csv":
        return _csv_header(spec, path)
    rows = connection.execute(f"describe select * from {_scans(spec, [path], [[]])[0]}").fetchall()
    return [str(row[0]) for row in rows]


def _csv_header(spec: Input, path: Path) -> list[str]:
    encoding = "utf-8-sig" if spec.encoding == "utf-8" else spec.encoding
    with open_file(path) as (_, stream):
        reader = csv.reader(io.TextIOWrapper(stream, encoding, newline=""), delimiter=spec.delimiter)
        try:
            cells = next(reader, [])
        except (UnicodeError, csv.Error) as error:
            raise UserError(
                f"The header of {path.name} can't be read as {spec.encoding} text: {error}.",
                f"State the encoding of input {spec.name}: utf-8, utf-16 or latin-1.",
            ) from error
    if not cells:
        raise UserError(f"{path.name} is empty.", "A CSV file begins with a line of column names.")
    header = [cell.strip() or f"column_{number}" for number, cell in enumerate(cells, start=1)]
    lowered = [name.lower() for name in header]
    if repeated := [name for name in header if lowered.count(name.lower()) > 1]:
        raise UserError(f"{path.name} names the column {repeated[0]} twice.", "Give every column a name of its own.")
    return header


def _scans(spec: Input, files: Sequence[Path], headers: Sequence[Sequence[str]]) -> list[str]:
    """Table functions that read the files; CSV files of one header are read together."""
    if spec.format == "parquet":
        return [f"read_parquet({_paths(files)}, union_by_name = true)"]
    if spec.format in ("json", "jsonl"):
        layout = "auto" if spec.format == "json" else "newline_delimited"
        options = f"format = '{layout}', maximum_depth = 1, sample_size = -1, union_by_name = true"
        return [f"read_json({_paths(files)}, {options})"]
    by_header: dict[tuple[str, ...], list[Path]] = {}
    for path, header in zip(files, headers, strict=True):
        by_header.setdefault(tuple(header), []).append(path)
    return [
        f"read_csv({_paths(paths)}, auto_detect = false, header = true, delim = {_literal(spec.delimiter)}, "
        f"quote = '\"', escape = '\"', encoding = '{spec.encoding}', "
        f"columns = {{{', '.join(_literal(name) + ': ' + _literal('varchar') for name in header)}}})"
        for header, paths in by_header.items()
    ]


def _selected(spec: Input, columns: Sequence[str]) -> str:
    if spec.format in ("json", "jsonl"):
        return ", ".join(f"{_quoted(column)} ->> '$' as {_quoted(column)}" for column in columns)
    return ", ".join(_quoted(column) for column in columns)


def _open_sqlite(connection: duckdb.DuckDBPyConnection, spec: Input, path: Path) -> OpenInput:
    """Copy a SQLite table as text: its columns may hold values of any type, whatever they are declared as."""
    table = _quoted(spec.table)
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            columns = [column[0] for column in database.execute(f"select * from {table} limit 0").description]
            texts = ", ".join(f"cast({_quoted(column)} as text)" for column in columns)
            rows = database.execute(f"select {texts} from {table}")
            schema = pa.schema([(column, pa.string()) for column in columns])
            connection.register("sqlite_rows", schema.empty_table())
            connection.execute(f"create temp table {_quoted(spec.name)} as from sqlite_rows")
            while chunk := rows.fetchmany(_CHUNK_ROWS):
                arrays = [pa.array(values, pa.string()) for values in zip(*chunk, strict=True)]
                connection.register("sqlite_rows", pa.Table.from_arrays(arrays, schema=schema))
                connection.execute(f"insert into {_quoted(spec.name)} from sqlite_rows")
            connection.unregister("sqlite_rows")
    except sqlite3.Error as error:
        raise UserError(
            f"Table {spec.table} of {path.name} can't be read: {error}.", f"Check files and table of input {spec.name}."
        ) from error
    return _copied(connection, spec, f"{path.name}:{spec.table}")


def _open_postgres(connection: duckdb.DuckDBPyConnection, spec: Input) -> OpenInput:
    """Copy a Postgres table, so that all outputs see one state of it."""
    load_extension(connection, "postgres_scanner")
    table = ".".join(_quoted(part) for part in spec.table.split("."))
    try:
        connection.execute(f"attach {_literal(spec.connection)} as origin (type postgres, read_only)")
        connection.execute(f"create temp table {_quoted(spec.name)} as from origin.{table}")
        connection.execute("detach origin")
    except duckdb.Error as error:
        raise UserError(
            f"Table {spec.table} of input {spec.name} can't be read: {first_sentence(error)}.",
            "Check connection and table.",
        ) from error
    return _copied(connection, spec, spec.table)


def _copied(connection: duckdb.DuckDBPyConnection, spec: Input, origin: str) -> OpenInput:
    """A table copied from a database, known by its rows: the bytes of a database change without them."""
    (digest,), *_ = connection.execute(
        f"""
        select concat_ws(' ', count(*), sum(md5_number_lower(line)), sum(md5_number_upper(line)))
        from (select to_json(copied)::varchar as line from {_quoted(spec.name)} as copied)
        """
    ).fetchall()
    columns = connection.execute(f"describe {_quoted(spec.name)}").fetchall()
    return OpenInput(
        name=spec.name,
        origins=(origin,),
        content_hash=hashlib.sha256(str(digest).encode()).hexdigest(),
        size=0,
        columns=tuple(str(row[0]) for row in columns),
    )


def _paths(files: Sequence[Path]) -> str:
    """The files as a SQL list; signs that DuckDB would read as a pattern stand for themselves."""
    return "[" + ", ".join(_literal(re.sub(r"([*?\[])", r"[\1]", str(path))) for path in files) + "]"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
