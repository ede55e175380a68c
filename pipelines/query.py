"""Read-only queries of people against the published marts, and how their results are shown."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

import duckdb
from rich.console import Console
from rich.table import Table

from pipelines.errors import UserError
from pipelines.lake.connection import Lake
from pipelines.operations.queries import logged

Format = Literal["table", "csv", "json"]

_SHOWN_ROWS = 200
_FETCHED_ROWS = 10_000


def print_query(lake: Lake, sql: str, form: Format, console: Console) -> None:
    """Run ``sql`` with ``published`` as the default schema and print its rows.

    A table shows the first rows only and says so; csv and json stream all of them. Raises UserError with DuckDB's
    message for a query that fails, and for one that would write.
    """
    with lake.reader() as connection, logged(lake.settings, "sql", "truelift sql"):
        connection.execute("use lake.published")
        try:
            if not connection.extract_statements(sql):
                raise UserError("The query is empty.", 'For instance: `truelift sql "show tables"`.')
            cursor = connection.execute(sql)
            names = [column[0] for column in cursor.description or ()]
            if form == "json" and len(set(names)) < len(names):
                repeated = next(name for name in names if names.count(name) > 1)
                raise UserError(f"Two columns are named {repeated}.", "Name them apart with `as`.")
            {"table": _print_table, "csv": _print_csv, "json": _print_json}[form](names, _rows(cursor), console)
        except duckdb.Error as error:
            raise UserError(f"The query failed: {error}", 'Tables: `truelift sql "show tables"`.') from None


def _rows(cursor: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while rows := cursor.fetchmany(_FETCHED_ROWS):
        yield from rows


def _print_table(names: Sequence[str], rows: Iterator[tuple[Any, ...]], console: Console) -> None:
    table = Table(header_style="bold")
    for name in names:
        table.add_column(name, overflow="fold")
    more = 0
    for number, row in enumerate(rows):
        if number < _SHOWN_ROWS:
            table.add_row(*(_text(value) for value in row))
        else:
            more += 1
    console.print(table)
    if more:
        console.print(f"… and {more} more rows; --format csv shows all.")


def _print_csv(names: Sequence[str], rows: Iterator[tuple[Any, ...]], console: Console) -> None:
    writer = csv.writer(console.file, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_text(value) for value in row] for row in rows)


def _print_json(names: Sequence[str], rows: Iterator[tuple[Any, ...]], console: Console) -> None:
    out = console.file
    out.write("[")
    for number, row in enumerate(rows):
        values = {name: _plain(value) for name, value in zip(names, row, strict=True)}
        record = json.dumps(values, ensure_ascii=False, allow_nan=False)
        out.write(f"{',' if number else ''}\n{record}")
    out.write("\n]\n")


def _text(value: Any) -> str:
    """A value as SQL writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _plain(value: Any) -> Any:
    """A value as JSON knows it; what is no number there (NaN, infinite) is null."""
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(key): _plain(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(member) for member in value]
    return str(value)
