"""The SQL of a mapping as syntax: each piece must be one expression or select, and read the mapping's inputs only.

Works on syntax trees; whether columns exist is judged when the inputs are open.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import duckdb

from pipelines.errors import UserError
from pipelines.ingestion.mapping import DOCUMENTATION, Output, SourceMapping


def inputs_of(connection: duckdb.DuckDBPyConnection, mapping: SourceMapping) -> dict[str, tuple[str, ...]]:
    """The names of the inputs that each output and each view reads, by its label, also through views.

    Raises UserError naming the piece of SQL that does not parse, is more than one statement or reads something else.
    """
    known: dict[str, tuple[str, ...]] = {name.lower(): (name,) for name in mapping.inputs}
    found: dict[str, tuple[str, ...]] = {}
    for name in (*mapping.inputs, *mapping.views):
        _parse(connection, f"select 1 from {name}", f"Source {mapping.name}: {name!r} can't name a relation")
    for name, select in mapping.views.items():
        label = view_label(name)
        parsed = _parse(connection, select, f"Source {mapping.name}, {label}")
        found[label] = known[name.lower()] = _read_by(parsed, known, f"Source {mapping.name}, {label}")
    for output in mapping.outputs:
        where = f"Source {mapping.name}, {output.label}"
        _check_pieces(connection, output, where)
        found[output.label] = _read_by(_parse(connection, output.select_sql(), where), known, where)
    return found


def view_label(name: str) -> str:
    """How messages call a view, beside the labels of outputs."""
    return f"view {name}"


def _check_pieces(connection: duckdb.DuckDBPyConnection, output: Output, where: str) -> None:
    """Parse each piece by itself, so that none can end the expression it stands in."""
    fields = ((f"field {name}", expression) for name, expression in output.fields.items())
    for place, expression in (*output.row_expressions, *fields):
        _parse(connection, f"select ({expression}\n)", f"{where}, {place}")
    _parse(connection, f"select 1 from {output.relation}", f"{where}, from")


def _parse(connection: duckdb.DuckDBPyConnection, sql: str, where: str) -> Any:
    """The syntax tree of one select statement. Raises UserError for anything else."""
    ((text,),) = connection.execute("select json_serialize_sql($sql::varchar)", {"sql": sql}).fetchall()
    parsed = json.loads(text)
    if parsed["error"] and parsed["error_type"] == "parser":
        raise UserError(f"{where}: {parsed['error_message']}.", f"Correct the SQL, see {DOCUMENTATION}.")
    if parsed["error"] or len(parsed["statements"]) != 1:
        raise UserError(f"{where}: this is not one expression or select.", f"Correct the SQL, see {DOCUMENTATION}.")
    return parsed["statements"]


def _read_by(parsed: Any, known: Mapping[str, tuple[str, ...]], where: str) -> tuple[str, ...]:
    nodes = list(_nodes(parsed))
    own = {entry["key"].lower() for node in nodes if "cte_map" in node for entry in node["cte_map"]["map"]}
    read: dict[str, None] = {}
    for node in nodes:
        if node.get("type") == "BASE_TABLE":
            table = ".".join(part for part in (node["catalog_name"], node["schema_name"], node["table_name"]) if part)
            if table.lower() not in known and table.lower() not in own:
                raise UserError(f"{where}: {table} is no input of it.", f"Inputs and views: {', '.join(known)}.")
            read |= dict.fromkeys(known.get(table.lower(), ()))
    return tuple(read)


def _nodes(tree: Any) -> list[Mapping[str, Any]]:
    """All objects of a syntax tree."""
    if isinstance(tree, dict):
        return [tree, *(node for value in tree.values() for node in _nodes(value))]
    return [node for value in tree for node in _nodes(value)] if isinstance(tree, list) else []
