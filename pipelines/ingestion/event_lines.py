"""Canonical event lines from the rows of a mapped source: SQL that writes each row as one JSON object.

A value is written in the type that the contract declares where it can be read as that type, else as the text that it
is: so a bad value is rejected and quarantined by the rules for all events, and never silently becomes null.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping

import duckdb

from pipelines.ingestion.mapping import ENVELOPE_FIELDS
from quality.contracts import Contract

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "truelift:natural-key")
"""Namespace of the UUIDs that ``uuid_from`` makes of natural keys."""
SEPARATOR = "\x1f"
"""Stands between the parts of a natural key, so that ('a', 'bc') and ('ab', 'c') differ."""

_MOST_KEY_PARTS = 6
_UTC = "'%Y-%m-%dT%H:%M:%S.%fZ'"


def create_macros(connection: duckdb.DuckDBPyConnection) -> None:
    """Define ``uuid_from(part, …)`` for mappings: the version 5 UUID (RFC 9562) of the parts, as texts, in order.

    The same parts give the same UUID in every run and every source; null when a part is null.
    """
    namespace = "".join(f"\\x{byte:02X}" for byte in NAMESPACE.bytes)
    connection.execute(
        """
        create or replace temp macro uuid_of_sha1(digest) as (
            substr(digest, 1, 12) || '5' || substr(digest, 14, 3)
            || translate(substr(digest, 17, 1), '0123456789abcdef', '89ab89ab89ab89ab') || substr(digest, 18, 15)
        )::uuid
        """
    )
    overloads = []
    for count in range(1, _MOST_KEY_PARTS + 1):
        names = [f"part_{number}" for number in range(1, count + 1)]
        key = f" || chr({ord(SEPARATOR)}) || ".join(f"{name}::varchar" for name in names)
        overloads.append(f"({', '.join(names)}) as uuid_of_sha1(sha1('{namespace}'::blob || encode({key})))")
    connection.execute(f"create or replace temp macro uuid_from {', '.join(overloads)}")


def lines_sql(contract: Contract, event_type: str, types: Mapping[str, str], rows: str) -> str:
    """Query over ``rows`` (a relation with a column per mapped field) giving ``source_line`` and ``line``.

    ``types`` are the columns and their SQL types. Lines are numbered from 1 in the order of their timestamps.
    Absent values are left out of the objects.
    """
    properties = {prop.name: prop for prop in contract[event_type].properties}
    written = {
        name: _json_sql(name, kind, _kinds(properties[name].json_types), properties[name].format)
        if name in properties and name not in ENVELOPE_FIELDS
        else _json_sql(name, kind, ("string",), "date-time" if name == "timestamp" else None)
        for name, kind in types.items()
    }
    envelope = {name: written[name] for name in ENVELOPE_FIELDS if name in written}
    envelope.setdefault("source", "'backend'")
    context = {name: written[name] for name in contract.context_fields if name in written}
    own = {name: sql for name, sql in written.items() if name not in envelope and name not in context}
    members = {"event_type": f"'{event_type}'", **envelope, "properties": _struct(own), "context": _struct(context)}
    return f"""
        select row_number() over (order by moment, line) as source_line, line
        from (
            select
                {written["timestamp"]} as moment,
                json_merge_patch('{{}}', to_json({_struct(members)}))::varchar as line
            from {rows}
        )
    """


def _kinds(json_types: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(kind for kind in json_types if kind != "null")


def _json_sql(name: str, sql_type: str, kinds: tuple[str, ...], text_format: str | None) -> str:
    """SQL for the JSON member of a column of ``sql_type``, written as one of the declared JSON ``kinds``."""
    value = f'"{name}"'
    text = f"{value}::varchar"
    is_text = sql_type == "VARCHAR"
    if text_format == "date-time":
        # A time without a zone is UTC: the session's zone.
        return f"coalesce(strftime(try_cast({value} as timestamptz) at time zone 'UTC', {_UTC}), {text})"
    if kinds == ("string",):
        return text
    if kinds in (("number",), ("integer",)) and (is_text or sql_type in ("DOUBLE", "FLOAT")):
        number = f"try_cast({value} as double)"
        whole = f"case when {number} = trunc({number}) and abs({number}) < 1e15 then {number}::bigint end"
        return (
            f"case when isfinite({number}) then coalesce(to_json({whole}), to_json({number})) else to_json({text}) end"
        )
    if kinds == ("boolean",) and is_text:
        return f"coalesce(to_json(try_cast({value} as boolean)), to_json({text}))"
    if kinds in (("object",), ("array",)) and is_text:
        return f"case when json_valid({text}) then {text}::json else to_json({text}) end"
    return f"to_json({value})"


def _struct(members: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"'{name}': {sql}" for name, sql in members.items()) + "}" if members else "'{}'::json"
