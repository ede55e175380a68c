"""The rules of the event contract as SQL conditions, per event type; judge.py puts them to the lines.

Generated from the schemas alone; no text of the input becomes SQL.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from quality.contracts import REASONS, Contract, EventType, Property
from quality.contracts.events import UUID_PROPERTIES

REASON_BITS: Mapping[str, int] = {reason: 1 << index for index, reason in enumerate(REASONS)}

ENVELOPE = ("event_id", "event_type", "timestamp", "user_id", "session_id", "source", "properties", "context")
_TOLD_BY_VALUE = ("event_id", "event_type", "timestamp", "source")
"""Fields whose JSON type needs no look: a number, a list or nothing at all is no valid text of theirs either."""
_TIMESTAMP = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d(:?\d\d)?)"
NUMBERS = ("UBIGINT", "BIGINT", "DOUBLE")
_JSON_TYPES = {
    "string": ("VARCHAR",),
    "boolean": ("BOOLEAN",),
    "object": ("OBJECT",),
    "array": ("ARRAY",),
    "number": NUMBERS,
    "integer": NUMBERS,
}


@dataclass(frozen=True)
class Check:
    """One rule: a line fails for ``reason`` where ``condition`` (SQL) is true; ``message`` (SQL) explains it."""

    reason: str
    condition: str
    message: str


@dataclass(frozen=True)
class TypeRules:
    """How the lines of one event type, or those of an unknown one, are staged and judged.

    ``structure`` is the json_transform structure of the staged fields, ``columns`` the SQL for each of them; ``told``
    are those columns whose JSON type needs no look, ``types`` the SQL for the list of the JSON types of the others,
    ``numbers`` the positions of numeric properties in it; ``undeclared`` the SQL for what is not declared;
    ``free_texts`` the columns that any text may stand in; ``shape_checks`` read the list of types (``t``) only,
    ``value_checks`` the staged columns.
    """

    structure: str
    columns: tuple[str, ...]
    names: tuple[str, ...]
    told: tuple[str, ...]
    undeclared: str
    numbers: tuple[tuple[str, int], ...]
    free_texts: tuple[str, ...]
    types: str
    shape_checks: tuple[Check, ...]
    value_checks: tuple[Check, ...]


def type_rules(contract: Contract, event_type: EventType | None) -> TypeRules:
    """The rules for lines of ``event_type``; None stands for the unknown ones."""
    fields = _fields(contract, event_type)
    staged = [prop for prop in fields if prop.name not in contract.envelope["properties"]]
    told = [prop for prop in staged if _is_told_by_value(prop)]
    paths = [
        *(f"$.{name}" for name in ENVELOPE if name not in _TOLD_BY_VALUE),
        *(f"$.context.{name}" for name in contract.context_fields),
        *(f"$.properties.{prop.name}" for prop in fields if prop not in told),
    ]
    types = {path: f"t[{index}]" for index, path in enumerate(paths, start=1)}
    texts = ("event_id", "event_type", "timestamp", "user_id", "session_id", "source")
    structure = {
        **dict.fromkeys(texts, "VARCHAR"),
        "context": dict.fromkeys(contract.context_fields, "VARCHAR"),
        "properties": {prop.name: _staged_type(prop) for prop in fields},
    }
    checked = [
        check
        for prop in fields
        for check in _property_checks(prop, types.get(f"$.properties.{prop.name}"), declared=event_type is not None)
    ]
    return TypeRules(
        structure=json.dumps(structure),
        columns=(
            *(f'x."{name}" as "{name}"' for name in texts),
            *(f'x.context."{name}"' for name in contract.context_fields),
            f"{uuid_sql('x.event_id')} as event_uuid",
            f"{utc_sql('x.timestamp')} as event_timestamp",
            *(column for prop in staged for column in _staged_columns(prop)),
        ),
        names=tuple(f'"{name}"' for name in (*texts[1:], *contract.context_fields, *(prop.name for prop in staged))),
        told=(*(f'"{name}"' for name in _TOLD_BY_VALUE), *(_text(prop) for prop in told)),
        undeclared=_undeclared_sql(contract, fields),
        numbers=tuple((prop.name, paths.index(f"$.properties.{prop.name}") + 1) for prop in fields if prop.is_number),
        free_texts=(
            "user_id",
            "session_id",
            *(f'"{name}"' for name in contract.context_fields),
            *(f'"{prop.name}"' for prop in staged if prop.is_free_text),
        ),
        types=f"json_type(line, [{quoted_list(_pointer(path) for path in paths)}])",
        shape_checks=(
            *_envelope_shape_checks(contract, types),
            *(check for is_shape, check in checked if is_shape),
            *(() if event_type else (Check("unknown_event_type", "true", "'event_type is not in the taxonomy'"),)),
        ),
        value_checks=(
            *_envelope_value_checks(contract),
            *(check for is_shape, check in checked if not is_shape),
        ),
    )


def _pointer(path: str) -> str:
    """A path as JSON pointer, which the engine follows in a fraction of the time."""
    return path.removeprefix("$").replace(".", "/")


def _undeclared_sql(contract: Contract, fields: Sequence[Property]) -> str:
    """SQL over ``line``: the JSON text of what the contract does not declare, whichever object it stands in."""
    top, context, properties = (
        quoted(json.dumps(dict.fromkeys(names)))
        for names in (ENVELOPE, contract.context_fields, [prop.name for prop in fields])
    )
    inner = (
        f"json_merge_patch(case when json_type(line, '$.{name}') = 'OBJECT'"
        f" then json_extract(line, '$.{name}') else '{{}}'::json end, {known}::json)"
        for name, known in (("context", context), ("properties", properties))
    )
    merged = (
        f"json_merge_patch(json_merge_patch(json_merge_patch(line::json, {top}::json), {next(inner)}), {next(inner)})"
    )
    return f"nullif({merged}::varchar, '{{}}')"


def flags_sql(checks: Iterable[Check]) -> str:
    """SQL for the bits of the reasons whose conditions hold."""
    conditions: dict[str, list[str]] = {}
    for check in checks:
        conditions.setdefault(check.reason, []).append(f"({check.condition})")
    bits = (
        f"case when {' or '.join(found)} then {REASON_BITS[reason]} else 0 end" for reason, found in conditions.items()
    )
    return f"({' | '.join(bits)})" if conditions else "0"


def _fields(contract: Contract, event_type: EventType | None) -> Sequence[Property]:
    """Properties judged for an event type; for an unknown one those whose rule goes by the name alone."""
    if event_type is not None:
        return event_type.properties
    by_name = {prop.name: prop for each in contract.event_types for prop in each.properties}
    return [prop for prop in by_name.values() if prop.name in UUID_PROPERTIES or prop.is_amount or prop.is_score]


def _is_told_by_value(prop: Property) -> bool:
    return prop.format is not None or bool(prop.enum)


def _text(prop: Property) -> str:
    """Column with the text of a property whose value is told from it."""
    return f'"{prop.name} as text"' if prop.format else f'"{prop.name}"'


def _staged_columns(prop: Property) -> Iterator[str]:
    value = f'x.properties."{prop.name}"'
    if prop.format:
        cast = uuid_sql(value) if prop.format == "uuid" else utc_sql(value)
        yield f'{cast} as "{prop.name}"'
        yield f"{value} as {_text(prop)}"
    else:
        yield f'{value} as "{prop.name}"'


def _staged_type(prop: Property) -> str:
    """Texts that need a check before their cast are read as texts; amounts as DOUBLE so that a tiny negative is seen."""
    if prop.is_amount:
        return "DOUBLE"
    return "VARCHAR" if prop.format else prop.column_type.upper()


def _envelope_shape_checks(contract: Contract, types: Mapping[str, str]) -> Iterator[Check]:
    yield Check("missing_id", f"coalesce({types['$.user_id']}, 'NULL') = 'NULL'", "'user_id is missing'")
    yield Check(
        "schema_violation", f"coalesce({types['$.properties']}, '') <> 'OBJECT'", "'properties is not an object'"
    )
    texts = ("user_id", "session_id", *(f"context.{name}" for name in contract.context_fields))
    for name, expected in (*((text, "VARCHAR") for text in texts), ("context", "OBJECT")):
        kind = types[f"$.{name}"]
        yield Check(
            "schema_violation", f"{kind} not in ('{expected}', 'NULL')", f"'{name} is of type ' || lower({kind})"
        )


def _envelope_value_checks(contract: Contract) -> Iterator[Check]:
    yield Check("missing_id", "coalesce(event_id, '') = ''", "'event_id is missing or empty'")
    yield Check("missing_id", "user_id = ''", "'user_id is empty'")
    yield Check(
        "invalid_uuid",
        "event_id <> '' and event_uuid is null",
        f"'event_id ' || {_shown('event_id')} || ' is not a UUID'",
    )
    yield Check(
        "invalid_timestamp",
        "event_timestamp is null",
        f"'timestamp ' || {_shown('timestamp')} || ' is not ISO-8601 with a zone'",
    )
    yield Check(
        "invalid_source",
        f"coalesce(source, '') not in ({quoted_list(contract.sources)})",
        f"'source ' || {_shown('source')} || ' is none of {', '.join(contract.sources)}'",
    )


def _property_checks(prop: Property, kind: str | None, *, declared: bool) -> Iterator[tuple[bool, Check]]:
    """Checks of one property, each with whether it reads the JSON type alone; no ``kind`` where the value tells it."""
    column = f'"{prop.name}"'
    kinds = [each for each in prop.json_types if each != "null"]
    missing = f"'{prop.name} is missing'"
    if kind is None:
        if declared and prop.required:
            yield False, Check("schema_violation", f"{_text(prop)} is null", missing)
    else:
        given = f"coalesce({kind}, 'NULL') <> 'NULL'"
        allowed = sorted({name for each in kinds for name in _JSON_TYPES[each]})
        if declared and prop.required:
            yield True, Check("schema_violation", f"not ({given})", missing)
        if declared:
            yield (
                True,
                Check(
                    "schema_violation",
                    f"{given} and {kind} not in ({quoted_list(allowed)})",
                    f"'{prop.name} is of type ' || lower({kind}) || ', not {' or '.join(kinds)}'",
                ),
            )
    text = _shown(f"json_extract_string(line, '$.properties.{prop.name}')")
    shown = f"'{prop.name} ' || {text} || "
    for reason, condition, expectation in _value_rules(prop, column, kinds):
        if declared or reason != "schema_violation":
            yield False, Check(reason, condition, f"{shown}' {expectation}'")


def _value_rules(prop: Property, column: str, kinds: list[str]) -> Iterator[tuple[str, str, str]]:
    """Reason, condition and expectation of what the value must fulfill, given that its JSON type is right."""
    numeric = is_number_column(prop.name)
    if prop.is_amount:
        yield "negative_amount", f"{numeric} and ({column} < 0 or not isfinite({column}))", "is below 0 or not finite"
        yield "schema_violation", f"{column} >= 1e14 and isfinite({column})", "is too large for an amount"
    elif prop.is_score:
        yield "score_out_of_range", f"{numeric} and not coalesce({column} between 0 and 1, false)", "is outside 0..1"
    elif kinds == ["integer"]:
        # json_transform rounds 1.5 to 2; 1.0 is a whole number by JSON Schema
        number = f"json_extract_string(line, '$.properties.{prop.name}')::double"
        is_fraction = f"case when has_double and {numeric} then {number} <> trunc({number}) else false end"
        yield (
            "schema_violation",
            f"({numeric} and {column} is null) or {is_fraction}",
            "is not a whole number that fits",
        )
    elif kinds == ["number"]:
        yield "schema_violation", f"{numeric} and not coalesce(isfinite({column}), false)", "is not finite"
    if not (prop.is_amount or prop.is_score) and kinds in (["number"], ["integer"]):
        if prop.minimum is not None:
            yield "schema_violation", f"{column} < {prop.minimum}", f"is below {prop.minimum}"
        if prop.maximum is not None:
            yield "schema_violation", f"{column} > {prop.maximum}", f"is above {prop.maximum}"
    if prop.enum:
        yield "schema_violation", f"{column} not in ({quoted_list(prop.enum)})", f"is none of {', '.join(prop.enum)}"
    if prop.pattern:
        yield (
            "schema_violation",
            f"not regexp_matches({column}, {quoted(prop.pattern)})",
            f"is not like {prop.pattern}",
        )
    if prop.format == "uuid":
        reason = "invalid_uuid" if prop.name in UUID_PROPERTIES else "schema_violation"
        yield reason, f"{_text(prop)} is not null and {column} is null", "is not a UUID"
    if prop.format == "date-time":
        yield "schema_violation", f"{_text(prop)} is not null and {column} is null", "is not ISO-8601 with a zone"


def utc_sql(text: str) -> str:
    """SQL for the instant, in UTC, that a text with a zone stands for, else null.

    The usual form ends in Z and takes a plain cast: pattern and conversion cost four times as much.
    """
    marks = " and ".join(f"{text}[{position}] = '{mark}'" for position, mark in ((11, "T"), (14, ":"), (17, ":")))
    usual = f"strlen({text}) between 20 and 27 and ends_with({text}, 'Z') and {marks}"
    return (
        f"case when {usual} then try_cast({text} as timestamp)"
        f" when regexp_full_match({text}, {quoted(_TIMESTAMP)}) then try_cast({text} as timestamptz) at time zone 'UTC' end"
    )


def uuid_sql(text: str) -> str:
    """SQL for the UUID that a text of the usual 36 characters stands for, else null."""
    return f"case when strlen({text}) = 36 then try_cast({text} as uuid) end"


def id_hash_sql(event_id: str) -> str:
    """SQL for a number that equal UUIDs share; of 63 bits, for filters on Arrow tables take no unsigned ones."""
    return f"case when {event_id} is not null then (hash({event_id}) >> 1)::bigint end"


def _shown(text: str) -> str:
    return f"coalesce(left({text}, 60), 'null')"


def quoted_list(texts: Iterable[str]) -> str:
    """Several texts as SQL literals with commas between."""
    return ", ".join(quoted(text) for text in texts)


def quoted(text: str) -> str:
    """``text`` as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def is_number_column(name: str) -> str:
    """Column that tells whether a property's JSON value is a number."""
    return f'"{name} is a number"'
