"""How the marts of one version of the lake become views: the statements that publishing runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from graphlib import TopologicalSorter
from typing import Any

import duckdb

from pipelines.errors import WorkFailedError

SOURCE = "marts"
TARGET = "published"
METADATA = "__ducklake_metadata_lake"
"""The catalog's own tables. Never read inside a transaction on the lake: the read holds a lock that its commit needs."""

_VISIBLE = "{0}.begin_snapshot <= $version and coalesce({0}.end_snapshot > $version, true)"


def view_statements(connection: duckdb.DuckDBPyConnection, version: int) -> dict[str, str]:
    """The statement that publishes each mart of a version, in an order in which every view finds what it reads.

    A table is read at the version itself. ``AT`` says nothing about the tables inside a view, so of a view its body of
    that version is published, reading the published marts. Raises WorkFailedError when it reads anything else.
    """
    tables = _tables(connection, version)
    bodies: dict[str, str] = {}
    needs: dict[str, set[str]] = {}
    for name, aliases, body in _views(connection, version):
        select, needs[name] = _on_published_marts(connection, name, body)
        bodies[name] = _create(name, select, aliases)
    unknown = {mart for read in needs.values() for mart in read} - set(tables) - bodies.keys()
    if unknown:
        raise WorkFailedError(f"Views of {SOURCE} read {sorted(unknown)}, which version {version} does not have.")
    pinned = {
        name: _create(name, f"select * from lake.{SOURCE}.{quoted(name)} at (version => {version})") for name in tables
    }
    return pinned | {name: bodies[name] for name in TopologicalSorter(needs).static_order() if name in bodies}


def published_views(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Names of the views that readers have at present."""
    rows = connection.execute(
        f"select view_name from duckdb_views() where database_name = 'lake' and schema_name = '{TARGET}'"
    ).fetchall()
    return {name for (name,) in rows}


def quoted(name: str) -> str:
    """An identifier as SQL writes it, whatever it is made of."""
    return '"' + name.replace('"', '""') + '"'


def _create(name: str, select: str, aliases: str = "") -> str:
    columns = f" ({aliases})" if aliases else ""
    return f"create or replace view lake.{TARGET}.{quoted(name)}{columns} as {select}"


def _tables(connection: duckdb.DuckDBPyConnection, version: int) -> list[str]:
    """Tables among the marts of a version; what a killed dbt left under a working name is none."""
    rows = connection.execute(
        f"""select t.table_name
            from {METADATA}.ducklake_table t join {METADATA}.ducklake_schema s using (schema_id)
            where s.schema_name = '{SOURCE}' and not contains(t.table_name, '__dbt_')
                and {_VISIBLE.format("s")} and {_VISIBLE.format("t")}
            order by t.table_name""",
        {"version": version},
    ).fetchall()
    return [name for (name,) in rows]


def _views(connection: duckdb.DuckDBPyConnection, version: int) -> list[tuple[str, str, str]]:
    """Views among the marts of a version: name, column aliases, body."""
    return connection.execute(
        f"""select v.view_name, v.column_aliases, v.sql
            from {METADATA}.ducklake_view v join {METADATA}.ducklake_schema s using (schema_id)
            where s.schema_name = '{SOURCE}' and not contains(v.view_name, '__dbt_')
                and {_VISIBLE.format("s")} and {_VISIBLE.format("v")}
            order by v.view_name""",
        {"version": version},
    ).fetchall()


def _on_published_marts(connection: duckdb.DuckDBPyConnection, view: str, body: str) -> tuple[str, set[str]]:
    """The body of a view of the marts with its tables taken from the published ones, and the names of these."""
    with_catalog = body.replace("{DUCKLAKE_CATALOG}", "lake")
    tree = json.loads(_text(connection, "select json_serialize_sql($1::varchar)", with_catalog))
    if tree["error"]:
        raise WorkFailedError(f"View {SOURCE}.{view} can't be published: {tree['error_message']}.")
    read = set()
    for table in _references(tree):
        if table["schema_name"] == "":
            continue  # a common table expression
        if table["schema_name"] != SOURCE:
            raise WorkFailedError(
                f"View {SOURCE}.{view} reads {table['schema_name']}.{table['table_name']}, which is not published.",
                f"Let it read {SOURCE} only, or build it as a table.",
            )
        table["catalog_name"], table["schema_name"] = "lake", TARGET
        read.add(table["table_name"])
    return _text(connection, "select json_deserialize_sql($1::json)", json.dumps(tree)), read


def _references(node: Any) -> Iterator[dict[str, Any]]:
    """Every mention of a table in a parsed statement."""
    if isinstance(node, dict):
        if node.get("type") == "BASE_TABLE":
            yield node
        for child in node.values():
            yield from _references(child)
    elif isinstance(node, list):
        for child in node:
            yield from _references(child)


def _text(connection: duckdb.DuckDBPyConnection, query: str, argument: str) -> str:
    row = connection.execute(query, [argument]).fetchone()
    assert row is not None
    return str(row[0])
