"""An id is stored once: the last line of a load wins, and a stored event gives way for some minutes only.

Works on the temp tables of one chunk (see :mod:`pipelines.ingestion.store`); leaves ``contested`` lines and ``stored`` events,
both of ids that stand in more than one place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import duckdb

from pipelines.ingestion.rules import REASON_BITS, id_hash_sql
from pipelines.ingestion.tally import Tally

DUPLICATE = REASON_BITS["duplicate_event_id"]
REPLACED = -1
"""Verdict of an accepted line whose event a later load of the same transaction replaces: it is not stored."""


def find_contested(connection: duckdb.DuckDBPyConnection, now: datetime, replace_window_minutes: int) -> None:
    """Find the ``stored`` events whose ids occur in ``marks``, and the ``contested`` lines whose ids are not theirs alone.

    Within the chunk by the hashes of the ids, which group faster: where two ids share one, both are only looked at more
    closely. In the lake by the ids themselves, for they filter its files.
    """
    connection.execute(
        """
        create or replace temp table stored as
        select event_id, load_id, source_line, event_date, user_id, abs(epoch($now - ingested_at)) <= $window as gives_way
        from lake.raw.events
        where event_id in (select try_cast(event_id as uuid) from marks)
        """,
        {"now": now, "window": 60 * replace_window_minutes},
    )
    connection.execute(
        f"""
        create or replace temp table contested as
        select load_id, source_line from marks
        where id_hash in (
            select id_hash from marks group by id_hash having count(*) > 1
            union all
            select {id_hash_sql("event_id")} from stored
        )
        """
    )


def settle_contested(
    connection: duckdb.DuckDBPyConnection, staged: Sequence[str], tallies: Mapping[int, Tally]
) -> None:
    """Let one line of each id win: change ``flags`` in the ``staged`` tables, take replaced events from the lake."""
    if not _any(connection, "contested"):
        return
    _overrule(
        connection,
        staged,
        f"""
        select load_id, source_line, {DUPLICATE} as flags from verdicts
        where flags = 0 and event_id in (select event_id from stored where not gives_way)
        """,
    )
    # A stored event gives way to the first load that has its id; to that one's line, the next load's.
    connection.execute(
        """
        create or replace temp table replacements as
        select claims.load_id, stored.load_id as stored_load_id, stored.source_line as stored_line,
            stored.event_id, stored.event_date, stored.user_id
        from (select event_id, min(load_id) as load_id from verdicts where flags = 0 group by event_id) as claims
        inner join stored using (event_id)
        """
    )
    connection.execute(
        """
        create or replace temp table losers as
        select load_id, source_line, next_load_id from (
            select load_id, source_line,
                lead(load_id) over (partition by event_id order by load_id, source_line) as next_load_id
            from verdicts where flags = 0
        ) where next_load_id is not null
        """
    )
    _overrule(
        connection,
        staged,
        f"""
        select load_id, source_line, case when next_load_id = load_id then {DUPLICATE} else {REPLACED} end as flags
        from losers
        """,
    )
    for load_id, count in connection.execute(
        "select next_load_id, count(*) from losers where next_load_id <> load_id group by next_load_id"
    ).fetchall():
        tallies[load_id].replaced += count
    _replace_stored(connection, tallies)


def _overrule(connection: duckdb.DuckDBPyConnection, staged: Sequence[str], verdicts: str) -> None:
    """Change what is said of single lines: query ``verdicts`` gives their load_id, source_line and new flags."""
    connection.execute(f"create or replace temp table overruled as {verdicts}")
    if _any(connection, "overruled"):
        for table in staged:
            connection.execute(
                f"""
                update {table} as staged set flags = overruled.flags from overruled
                where staged.load_id = overruled.load_id and staged.source_line = overruled.source_line
                """
            )


def _replace_stored(connection: duckdb.DuckDBPyConnection, tallies: Mapping[int, Tally]) -> None:
    if not _any(connection, "replacements"):
        return
    for load_id, count in connection.execute(
        "select load_id, count(*) from replacements where load_id <> stored_load_id group by load_id"
    ).fetchall():
        tallies[load_id].replaced += count
    for load_id, line in connection.execute(
        "select load_id, stored_line from replacements where load_id = stored_load_id"
    ).fetchall():
        tallies[load_id].superseded_lines.append(line)
    connection.execute(
        """
        delete from lake.raw.events
        where event_id in (select event_id from replacements)
            and event_date in (select event_date from replacements)
        """
    )
    connection.execute(
        """
        insert into lake.ops.touched_days by name
        select distinct load_id, event_date, user_id, 'replaced' as cause from replacements
        where load_id <> stored_load_id
        """
    )


def _any(connection: duckdb.DuckDBPyConnection, table: str) -> bool:
    return bool(connection.execute(f"select 1 from {table} limit 1").fetchall())
