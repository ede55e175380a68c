"""How much the lake's tables and views hold: rows, bytes and files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import duckdb


@dataclass(frozen=True)
class Size:
    """Rows of a table or view; bytes and files of its present version, none for a view."""

    rows: int
    bytes: int | None = None
    files: int | None = None


def sizes(connection: duckdb.DuckDBPyConnection, tables: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Size]:
    """The sizes of those ``tables`` (schema and name) that exist.

    Rows are counted from the metadata of the files, so the cost does not grow with them (a view costs its query).
    """
    existing = connection.execute(
        """
        select schema_name, table_name from duckdb_tables() where database_name = 'lake'
        union all
        select schema_name, view_name from duckdb_views() where database_name = 'lake'
        """
    ).fetchall()
    found = sorted(set(tables) & set(existing))
    if not found:
        return {}
    counts = connection.execute(
        " union all by name ".join(
            f"select {number} as number, count(*) as row_count from lake.{_quoted(schema)}.{_quoted(name)}"
            for number, (schema, name) in enumerate(found)
        )
    ).fetchall()
    stored = {
        (schema, name): (size, files)
        for schema, name, size, files in connection.execute(
            """
            select schema_name, table_name, file_size_bytes + delete_file_size_bytes, file_count
            from ducklake_table_info('lake')
            inner join __ducklake_metadata_lake.ducklake_schema as schemas using (schema_id)
            where schemas.end_snapshot is null
            """
        ).fetchall()
    }
    return {found[number]: Size(rows, *stored.get(found[number], (None, None))) for number, rows in counts}


def _quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'
