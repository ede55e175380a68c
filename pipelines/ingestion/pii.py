"""E-mail addresses and phone numbers are masked before anything is written; personal user ids become keyed hashes."""

from __future__ import annotations

import hashlib
import hmac

import duckdb
import pyarrow as pa

EMAIL = r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}"
PHONE = r"\+[0-9][0-9 ().-]{6,18}[0-9]|\([0-9]{3}\) ?[0-9]{3}[-. ][0-9]{4}\b|\b[0-9]{3}[-. ][0-9]{3}[-. ][0-9]{4}\b"
"""International numbers with a leading +, and national ones of three, three and four digits, set apart."""


def suspicious_sql(text: str) -> str:
    """SQL for whether ``text`` may hold an address or a number: quick, and never false where it does."""
    return rf"regexp_matches({text}, '@|\+[0-9]|[0-9]{{3}}[-. )]{{1,2}}[0-9]{{3}}[-. ][0-9]{{4}}')"


# In raw JSON an escaped character may hide an @ or a +.
SUSPICIOUS_LINE_SQL = rf"(contains(line, '\u00') or {suspicious_sql('line')})"


def masked_sql(text: str) -> str:
    """SQL for ``text`` with every e-mail address and phone number masked."""
    return f"regexp_replace(regexp_replace({text}, '{EMAIL}', '[email]', 'g'), '{PHONE}', '[phone]', 'g')"


def matches_sql(text: str) -> str:
    """SQL for the number of e-mail addresses and phone numbers in ``text``."""
    emails = f"regexp_extract_all({text}, '{EMAIL}')"
    return f"(len({emails}) + len(regexp_extract_all(regexp_replace({text}, '{EMAIL}', '', 'g'), '{PHONE}')))"


def is_personal_sql(user_id: str) -> str:
    """SQL for whether a user id is an e-mail address or a phone number."""
    return f"coalesce(regexp_full_match(trim({user_id}), '{EMAIL}|{PHONE}'), false)"


def pseudonym(key: bytes, user_id: str) -> str:
    """The id that replaces a personal ``user_id``: HMAC-SHA-256 under ``key`` of its trimmed lower-case text."""
    return "pii_" + hmac.new(key, user_id.strip().lower().encode(), hashlib.sha256).hexdigest()[:32]


def register_pseudonyms(connection: duckdb.DuckDBPyConnection, user_ids: str, key: bytes) -> int:
    """Fill temp table ``pseudonyms(user_id, pseudonym)`` for the personal ones among query ``user_ids``.

    ``user_ids`` is a query with one column ``user_id``. Returns how many there are.
    """
    personal = connection.execute(
        f"select distinct user_id from ({user_ids}) where {is_personal_sql('user_id')}"
    ).fetchall()
    names = [user_id for (user_id,) in personal]
    replaced = {"user_id": names, "pseudonym": [pseudonym(key, user_id) for user_id in names]}
    connection.register("replaced", pa.table(replaced, pa.schema([(name, pa.string()) for name in replaced])))
    connection.execute("create or replace temp table pseudonyms as from replaced")
    connection.unregister("replaced")
    return len(personal)


def mask_lines(connection: duckdb.DuckDBPyConnection, table: str, key: bytes) -> dict[int, int]:
    """Mask the suspicious lines of temp ``table(load_id, source_line, line, kind, is_suspicious)`` in place.

    Returns how many addresses, numbers and user ids were masked, by load_id.
    """
    # An escape can stand for @ or +: the JSON writer spells such characters out, broken JSON needs it done by hand.
    spelled_out = r"regexp_replace(replace(line, '\u0040', '@'), '\\u002[bB]', '+', 'g')"
    connection.execute(
        rf"""
        update {table} set line = case when kind is not null then json(line)::varchar else {spelled_out} end
        where is_suspicious and contains(line, '\u00')
        """
    )
    user_id = "case when kind is not null then json_extract_string(line, '$.user_id') end"
    register_pseudonyms(connection, f"select {user_id} as user_id from {table} where is_suspicious", key)
    connection.execute(
        f"""
        create or replace temp table masked as
        with known as (
            select load_id, source_line, line, {user_id} as user_id from {table} where is_suspicious
        ),
        replaced as (
            select
                load_id, source_line, pseudonym,
                case when pseudonym is null then line
                    else replace(line, to_json(known.user_id)::varchar, to_json(pseudonym)::varchar) end as line
            from known left join pseudonyms on known.user_id = pseudonyms.user_id
        )
        select
            load_id, source_line, {masked_sql("line")} as line,
            {matches_sql("line")} + (pseudonym is not null)::int as masked_count
        from replaced
        """
    )
    connection.execute(
        f"""
        update {table} set line = masked.line from masked
        where masked.masked_count > 0 and {table}.load_id = masked.load_id and {table}.source_line = masked.source_line
        """
    )
    rows = connection.execute("select load_id, sum(masked_count)::bigint from masked group by load_id").fetchall()
    return {load_id: count for load_id, count in rows if count}
