"""The rules for rows of reference inputs as SQL: what each cell must be, and why a row is rejected.

Every cell comes as text, whatever the file was, so one set of rules serves CSV, Parquet and mapped sources.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipelines.ingestion.pii import masked_sql, matches_sql
from pipelines.ingestion.rules import Check, flags_sql
from pipelines.lake.tables import REFERENCES
from quality.contracts import load_contract

_NUMBERS = ("decimal(18,4)", "double", "bigint")
_BELOW_OR_EQUAL = {"holdout_share": 1}
_ABOVE_ZERO = frozenset({"rate"})
_CODES = ("currency", "campaign_type")
"""Texts with a closed set of values; all others may hold what a person typed."""
_NAMES = {"uuid": "a UUID", "date": "a date", "timestamp": "an instant", "boolean": "true or false"}


def judged_sql(reference: str, header: Sequence[str]) -> str:
    """Query over ``reference_incoming(source_line, cells)`` giving one judged row per incoming row.

    ``header`` names the cells in order. Columns of the result: source_line, flags (bits of judge.REASON_BITS, 0 for a
    sound row), details, masked_count, and every declared column that the header names, typed, its texts masked.
    A number must be finite and 0 or more, a time without a zone is UTC, blanks around a value do not count and an
    empty cell is null.
    """
    key, columns = REFERENCES[reference]
    given = {name: kind for name, kind in columns.items() if name in header}
    texts = [f"""nullif(trim(cells[{header.index(name) + 1}]), '') as "{name}\"""" for name in given]
    checks = [
        Check(
            "schema_violation",
            f"cell_count <> {len(header)}",
            f"'the row has ' || cell_count || ' cells, the header {len(header)}'",
        ),
        *(check for name, kind in given.items() for check in _checks(name, kind, is_key=name in key)),
    ]
    free = [name for name, kind in given.items() if kind == "varchar" and name not in (*key, *_CODES)]
    values = {
        name: masked_sql(f'texts."{name}"') if name in free else _value(name, kind) for name, kind in given.items()
    }
    masked = " + ".join(matches_sql(f"""coalesce(texts."{name}", '')""") for name in free) or "0"
    return f"""
        with texts as (
            select source_line, len(cells) as cell_count, {", ".join(texts)}
            from reference_incoming
        )
        select
            source_line,
            {flags_sql(checks)} as flags,
            concat_ws('; ', {", ".join(f"case when {check.condition} then {check.message} end" for check in checks)})
                as details,
            {masked} as masked_count,
            {", ".join(f'{value} as "{name}"' for name, value in values.items())}
        from texts
    """


def _value(name: str, kind: str) -> str:
    """SQL for the typed value of a cell; null where the cell is empty or not of its type."""
    text = f'texts."{name}"'
    if kind == "uuid":
        return f"case when strlen({text}) = 36 then try_cast({text} as uuid) end"
    if kind == "timestamp":
        return _finite(f"try_cast({text} as timestamptz) at time zone 'UTC'")
    if kind == "date":
        return _finite(f"try_cast({text} as date)")
    if kind == "bigint":
        number = f"try_cast({text} as decimal(38,9))"
        return f"case when {number} = trunc({number}) then try_cast({number} as bigint) end"
    return text if kind == "varchar" else f"try_cast({text} as {kind})"


def _checks(name: str, kind: str, *, is_key: bool) -> Iterable[Check]:
    text = f'texts."{name}"'
    shown = f"'{name} ' || left({text}, 60) || "
    if is_key:
        yield Check("missing_id", f"{text} is null", f"'{name} is missing'")
    if kind in _NUMBERS:
        yield from _number_checks(name, kind, text, shown)
    elif kind == "varchar":
        yield from _text_checks(name, text, shown)
    else:
        reason = {"uuid": "invalid_uuid", "boolean": "schema_violation"}.get(kind, "invalid_timestamp")
        yield Check(reason, f"{text} is not null and {_value(name, kind)} is null", f"{shown}' is not {_NAMES[kind]}'")


def _number_checks(name: str, kind: str, text: str, shown: str) -> Iterable[Check]:
    number = f"try_cast({text} as double)"
    is_amount = f"isfinite({number}) and {number} >= 0"
    yield Check("negative_amount", f"not ({is_amount})", f"{shown}' is not a finite number of 0 or more'")
    yield Check(
        "schema_violation",
        f"{text} is not null and ({number} is null or ({is_amount} and {_value(name, kind)} is null))",
        f"{shown}' is not {'a whole number' if kind == 'bigint' else 'a number that fits ' + kind}'",
    )
    if name in _BELOW_OR_EQUAL:
        limit = _BELOW_OR_EQUAL[name]
        yield Check("schema_violation", f"{number} > {limit}", f"{shown}' is more than {limit}'")
    if name in _ABOVE_ZERO:
        yield Check("schema_violation", f"{number} = 0", f"{shown}' is not above 0'")


def _text_checks(name: str, text: str, shown: str) -> Iterable[Check]:
    if name == "currency":
        condition = f"not regexp_full_match({text}, '[A-Z]{{3}}')"
        yield Check("schema_violation", condition, f"{shown}' is not an ISO 4217 code such as USD'")
    if name == "campaign_type":
        known = campaign_types()
        allowed = ", ".join(f"'{value}'" for value in known)
        yield Check("schema_violation", f"{text} not in ({allowed})", f"{shown}' is none of {', '.join(known)}'")


def campaign_types() -> tuple[str, ...]:
    """The campaign types of the event contract, which defines them once."""
    delivered = load_contract()["campaign_delivered"]
    return next(prop.enum for prop in delivered.properties if prop.name == "campaign_type")


def _finite(moment: str) -> str:
    return f"case when isfinite({moment}) then {moment} end"
