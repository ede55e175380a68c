"""Which lines are events, and why the others are not: the queries that put the contract's rules to raw lines.

Lines are judged by event type. What follows from the JSON types of a line's fields, its shape, (missing, of another
type, not declared) is decided once per shape, of which a type has a few dozen; what depends on values is an expression
on typed columns. A line's failed rules are the bits of one integer.
"""

from __future__ import annotations

from pipelines.ingestion.lines import MAX_LINE_BYTES
from pipelines.ingestion.pii import SUSPICIOUS_LINE_SQL, suspicious_sql
from pipelines.ingestion.rules import (
    NUMBERS,
    REASON_BITS,
    Check,
    TypeRules,
    flags_sql,
    id_hash_sql,
    is_number_column,
    quoted,
    quoted_list,
    uuid_sql,
)
from quality.contracts import Contract

_HAS_REPEATED_KEY = """list_bool_or(list_transform(
    json_keys(line, ['$', '$.properties', '$.context']), lambda keys: len(list_distinct(keys)) < len(keys)
))"""


def recognized_sql(contract: Contract) -> str:
    """Query over ``chunk`` (lines with a ``position``), giving each its ``kind``: the place of its event type among the
    contract's, the one after them for an unknown type, null for no JSON object.

    Other columns: position, load_id, source_line, ``key_count``, the number of keys of its objects, the text of its
    ``event_id`` (null where it is no UUID by its length), ``id_hash``, which equal ids share (null where there is no valid
    one), and the ``day`` that its timestamp begins with.
    """
    # A number, because each kind's lines are looked for among all of them, which takes longer the longer a kind's name is.
    known = quoted_list(event_type.name for event_type in contract.event_types)
    # Whether a line is JSON is asked first: under TRY one broken line makes the engine evaluate its whole block anew,
    # line by line.
    return f"""
        with keyed as (
            select
                *,
                (defect is null or defect = 'line_too_long') and json_valid(line) as is_json,
                case when is_json then json_keys(line, ['$', '$.properties', '$.context']) end as k,
                case when is_json then json_extract_string(line, ['/event_type', '/event_id', '/timestamp']) end as e,
                enum_code(try_cast(e[1] as enum ({known}))) as known_kind
            from chunk
        )
        select
            position,
            load_id,
            source_line,
            case
                when known_kind is not null then known_kind
                when is_json and json_type(line) = 'OBJECT' then {len(contract.event_types)}
            end::utinyint as kind,
            len(k[1]) + coalesce(len(k[2]), 0) + coalesce(len(k[3]), 0) as key_count,
            case when strlen(e[2]) = 36 then e[2] end as event_id,
            {id_hash_sql(uuid_sql("e[2]"))} as id_hash,
            left(e[3], 10) as day
        from keyed
    """


def shapes_sql(rules: TypeRules, table: str, kind: int) -> str:
    """Query over ``table`` (of :func:`recognized_sql`): the shapes of the lines of one kind and what follows from each.

    Columns: shape (a hash; joining lists of types, or their text, takes several times longer), has_double, shape_flags,
    and whether each numeric property is a number.
    """
    numbers = "".join(
        f", t[{index}] in ({quoted_list(NUMBERS)}) as {is_number_column(name)}" for name, index in rules.numbers
    )
    doubles = " or ".join(f"coalesce(t[{index}] = 'DOUBLE', false)" for _, index in rules.numbers) or "false"
    return f"""
        with typed as (
            select {rules.types} as t from {table} where kind = {kind}
        ),
        examples as (
            select hash(t) as shape, any_value(t) as t from typed group by shape
        )
        select shape, {doubles} as has_double, {flags_sql(rules.shape_checks)} as shape_flags{numbers} from examples
    """


def staged_sql(rules: TypeRules, table: str, kind: int, shapes: str) -> str:
    """Query over ``table`` (of :func:`recognized_sql`) and ``loads``: the lines of one kind, typed, with verdicts.

    ``loads`` gives the ``earliest`` (null: any) and the ``latest`` timestamp that each load accepts. Lines whose shape is not in ``shapes`` (of :func:`shapes_sql`) are left out.
    Columns: load_id, source_line, source_file, flags (bits of REASON_BITS; duplicates are judged later), unknown_properties,
    is_suspicious (may hold personal data), event_timestamp (UTC), event_id (null where invalid), the other texts of
    the envelope, the properties.
    """
    # A value that passed a check of its form can't hold an address or a number; a flawed line is searched whole.
    texts = f"concat_ws(' ', {', '.join(f'case when strlen({text}) > 5 then {text} end' for text in rules.free_texts)})"
    return f"""
        {_fielded_sql(rules, table, kind, shapes)},
        flagged as (
            select
                fielded.*,
                source_file,
                shape_flags
                    | {flags_sql(rules.value_checks)}
                    | case when case when key_count > declared_count then {_HAS_REPEATED_KEY} end
                        then {REASON_BITS["malformed_json"]} else 0 end
                    | case when defect = 'line_too_long' then {REASON_BITS["line_too_long"]} else 0 end
                    | case when event_timestamp > latest then {REASON_BITS["timestamp_in_future"]} else 0 end
                    | case when event_timestamp < earliest then {REASON_BITS["timestamp_too_old"]} else 0 end as flags,
                key_count > declared_count as has_unknown
            from fielded
            inner join loads on fielded.load_id = loads.load_id
        )
        select
            load_id,
            source_line,
            source_file,
            flags,
            case when has_unknown then {rules.undeclared} end as unknown_properties,
            case when flags <> 0 or has_unknown then {SUSPICIOUS_LINE_SQL} else {suspicious_sql(texts)} end as is_suspicious,
            {", ".join(rules.names)},
            event_timestamp,
            event_uuid as event_id
        from flagged
    """


def explained_sql(rules: TypeRules, table: str, kind: int, shapes: str) -> str:
    """Query over ``table``: load_id, source_line and, in words, what is wrong with each line of one kind."""
    explained = (
        Check("malformed_json", _HAS_REPEATED_KEY, "'a key occurs twice in one object'"),
        Check("line_too_long", "defect = 'line_too_long'", f"'the line is longer than {MAX_LINE_BYTES} bytes'"),
        *rules.shape_checks,
        *rules.value_checks,
    )
    messages = ", ".join(f"case when {check.condition} then {check.message} end" for check in explained)
    return f"""
        {_fielded_sql(rules, table, kind, shapes, types=True)}
        select load_id, source_line, event_id, nullif(concat_ws('; ', {messages}), '') as details from fielded
    """


def _fielded_sql(rules: TypeRules, table: str, kind: int, shapes: str, *, types: bool = False) -> str:
    """Common expressions up to ``fielded``: a line's staged fields beside what is known of its shape.

    ``types`` adds the list ``t`` of its JSON types, which only explanations read.
    """
    told_count = " + ".join(f"({column} is not null)::int" for column in rules.told)
    return f"""
        with typed as (
            select
                load_id, source_line, line, defect, key_count,
                {rules.types} as t,
                json_transform(line, {quoted(rules.structure)}) as x
            from {table}
            where kind = {kind}
        ),
        parsed as (
            select
                load_id, source_line, line, defect, key_count{", t" if types else ""},
                {", ".join(rules.columns)},
                list_count(t) + {told_count} as declared_count,
                hash(t) as shape
            from typed
        ),
        fielded as (
            select parsed.* exclude (shape), shapes.* exclude (shape)
            from parsed
            inner join {shapes} as shapes on parsed.shape = shapes.shape
        )
    """


def reasons_sql(flags: str) -> str:
    """SQL for the list of reasons, in the contract's order, that the bits of ``flags`` stand for."""
    cases = ", ".join(f"case when {flags} & {bit} <> 0 then '{reason}' end" for reason, bit in REASON_BITS.items())
    return f"list_filter([{cases}], lambda reason: reason is not null)"
