"""Reference inputs: rows of campaigns, customers, spend, rates … judged one by one and upserted with history.

A row is a statement about its key. The newest one is current (``valid_to`` is null), the earlier ones stay as history.
Landing files and mapped sources come through the same door.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from pipelines.errors import UserError
from pipelines.ingestion.judge import reasons_sql
from pipelines.ingestion.pii import masked_sql, register_pseudonyms
from pipelines.ingestion.reference_files import take_file, take_rows
from pipelines.ingestion.reference_rules import judged_sql
from pipelines.lake.tables import REFERENCES

_REPORTED = "reported_at"
"""Column that orders the statements about one key; a row without it was reported when it was ingested."""


@dataclass(frozen=True)
class ReferenceCounts:
    """What became of the rows: ``accepted + duplicates + rejected + filtered = lines``.

    ``accepted`` rows are new in the table, ``replaced`` of them closed an earlier statement, ``duplicates`` say
    nothing new: repeated later in the same load, equal to what is stored, or reported before it.
    """

    lines: int
    accepted: int
    replaced: int
    duplicates: int
    rejected: int
    filtered: int = 0
    pii_masked: int = 0
    rejected_by_reason: Mapping[str, int] = field(default_factory=dict)
    unknown_columns: tuple[str, ...] = ()


def load_reference_file(
    connection: duckdb.DuckDBPyConnection,
    reference: str,
    path: Path,
    *,
    load_id: int,
    ingested_at: datetime,
    pii_key: bytes,
    source_file: str | None = None,
) -> ReferenceCounts:
    """Load a CSV file with a header, or a Parquet file, into ``raw.<reference>`` within the open transaction.

    ``source_file`` is the name to record, by default the file's own. Line numbers of a CSV file count its lines,
    those of a Parquet file its rows, from 1. Raises UserError for a file without the key's columns or that is no
    text, UnreadableFileError for one that can't be read.
    """
    name = source_file or path.name
    header = take_file(connection, path)
    return _load(connection, reference, header, _origin(load_id, ingested_at, name), pii_key, filtered=0)


def load_reference_rows(
    connection: duckdb.DuckDBPyConnection,
    reference: str,
    rows: pa.RecordBatchReader,
    *,
    load_id: int,
    ingested_at: datetime,
    pii_key: bytes,
    source_file: str,
    filtered: int = 0,
) -> ReferenceCounts:
    """Load rows of any origin, their columns named as the reference's, within the open transaction.

    ``filtered`` rows were left out before; they only count. Raises UserError when a key column is absent.
    """
    header = take_rows(connection, rows.schema.names, rows)
    return _load(connection, reference, header, _origin(load_id, ingested_at, source_file), pii_key, filtered=filtered)


def _load(
    connection: duckdb.DuckDBPyConnection,
    reference: str,
    header: Sequence[str],
    origin: Mapping[str, object],
    pii_key: bytes,
    *,
    filtered: int,
) -> ReferenceCounts:
    key, columns = REFERENCES[reference]
    for column in key:
        if column not in header:
            raise UserError(
                f"{origin['source_file']} has no column {column}, part of the key of {reference}. "
                f"It has: {', '.join(header) or 'no columns'}.",
                f"Add {column}, or map the file with a source (docs/sources.md).",
            )
    _judge(connection, reference, header, pii_key)
    _quarantine(connection, header, origin)
    _find_changes(connection, reference, [column for column in columns if column in header], origin)
    replaced = _write_changes(connection, reference, origin)
    _touch_days(connection, reference, origin)
    counts = _count(connection, replaced, filtered, tuple(name for name in header if name not in columns))
    for table in ("reference_incoming", "reference_judged", "reference_changes"):
        connection.execute(f"drop table {table}")
    return counts


def _judge(connection: duckdb.DuckDBPyConnection, reference: str, header: Sequence[str], pii_key: bytes) -> None:
    """Fill ``reference_judged``: a typed row per incoming row with its verdict, nothing personal left in it."""
    connection.execute(f"create or replace temp table reference_judged as {judged_sql(reference, header)}")
    if "user_id" in REFERENCES[reference][1] and register_pseudonyms(
        connection, "select user_id from reference_judged", pii_key
    ):
        connection.execute(
            """
            update reference_judged as judged
            set user_id = pseudonym, masked_count = masked_count + 1
            from pseudonyms
            where judged.user_id = pseudonyms.user_id
            """
        )


def _quarantine(connection: duckdb.DuckDBPyConnection, header: Sequence[str], origin: Mapping[str, object]) -> None:
    """Keep rejected rows as JSON: an object by column, or the bare list where cells and header do not match."""
    connection.execute(
        f"""
        insert into lake.raw.quarantine by name
        with rejected as (
            select
                source_line,
                flags,
                details,
                case when len(cells) = len($header)
                    then to_json(map($header, cells)) else to_json(cells)
                end::varchar as line,
            from reference_judged
            join reference_incoming using (source_line)
            where flags <> 0
        )
        select
            $load_id as load_id,
            $source_file as source_file,
            source_line,
            {masked_sql("line")} as raw_line,
            {reasons_sql("flags")} as reasons,
            {masked_sql("details")} as details,
            $ingested_at as ingested_at,
        from rejected
        """,
        {**origin, "header": list(header)},
    )


def _find_changes(
    connection: duckdb.DuckDBPyConnection, reference: str, given: Sequence[str], origin: Mapping[str, object]
) -> None:
    """The rows to insert: the last statement per key where it differs from the current one and is not older.

    A column that the input lacks says nothing: its current value is carried over.
    """
    key, columns = REFERENCES[reference]
    attributes = [column for column in given if column not in key and column != _REPORTED]
    differs = " or ".join(f'new."{column}" is distinct from old."{column}"' for column in attributes) or "false"
    reported, is_current = "null", "true"
    restated = differs
    if _REPORTED in columns:
        reported = f"new.{_REPORTED}" if _REPORTED in given else "null::timestamp"
        is_current = f"coalesce({reported}, $ingested_at) >= coalesce(old.{_REPORTED}, old.valid_from)"
        restated = f"({differs} or {reported} is distinct from old.{_REPORTED})"
    selected = [
        f'new."{column}"' if column in given else f'null as "{column}"' if column == _REPORTED else f'old."{column}"'
        for column in columns
    ]
    keys = ", ".join(f'"{column}"' for column in key)
    connection.execute(
        f"""
        create or replace temp table reference_changes as
        with new as (
            select *
            from reference_judged as new
            where flags = 0
            qualify row_number() over (
                partition by {keys} order by coalesce({reported}, $ingested_at) desc, source_line desc
            ) = 1
        ),
        old as (
            select * from lake.raw.{reference} where valid_to is null
        )
        select
            {", ".join(selected)},
            new.source_line,
            old.valid_from as previous_from,
            old.load_id is null or {differs} as is_material,
        from new
        left join old on {_same_key(key, "new", "old")}
        where old.load_id is null or ({is_current} and {restated})
        """,
        {"ingested_at": origin["ingested_at"]},
    )


def _write_changes(connection: duckdb.DuckDBPyConnection, reference: str, origin: Mapping[str, object]) -> int:
    """Close the statements that are replaced, insert the new ones; return how many were closed."""
    key, columns = REFERENCES[reference]
    row = connection.execute("select count(previous_from) from reference_changes").fetchone()
    replaced = int(row[0]) if row else 0
    if replaced:
        connection.execute(
            f"""
            update lake.raw.{reference} as old
            set valid_to = greatest(old.valid_from, $ingested_at), closed_by_load_id = $load_id
            from reference_changes as new
            where old.valid_to is null and new.previous_from is not null and {_same_key(key, "new", "old")}
            """,
            {name: origin[name] for name in ("load_id", "ingested_at")},
        )
    names = ", ".join(f'"{column}"' for column in columns)
    connection.execute(
        f"""
        insert into lake.raw.{reference} by name
        select
            {names},
            greatest(previous_from, $ingested_at) as valid_from,
            $load_id as load_id,
            $source_file as source_file,
            source_line,
        from reference_changes
        """,
        origin,
    )
    return replaced


def _touch_days(connection: duckdb.DuckDBPyConnection, reference: str, origin: Mapping[str, object]) -> None:
    """Record the days whose numbers change: of restated spend, and those that a rate is the latest for."""
    if reference == "ad_spend_daily":
        connection.execute(
            """
            insert into lake.ops.touched_days by name
            select distinct $load_id as load_id, date as event_date, 'ad_spend_daily' as cause
            from reference_changes
            where is_material
            """,
            {"load_id": origin["load_id"]},
        )
    elif reference == "fx_rates":
        connection.execute(
            """
            insert into lake.ops.touched_days by name
            with days as (
                select distinct event_date from lake.raw.events
                union
                select date from lake.raw.ad_spend_daily where valid_to is null
            ),
            spans as (
                select
                    changed.date as first_date,
                    (
                        select min(rate.date) from lake.raw.fx_rates as rate
                        where rate.valid_to is null and rate.currency = changed.currency and rate.date > changed.date
                    ) as next_date,
                from reference_changes as changed
            )
            select distinct $load_id as load_id, days.event_date, 'fx_rates' as cause
            from days
            join spans on days.event_date >= first_date and (next_date is null or days.event_date < next_date)
            """,
            {"load_id": origin["load_id"]},
        )


def _count(
    connection: duckdb.DuckDBPyConnection, replaced: int, filtered: int, unknown_columns: tuple[str, ...]
) -> ReferenceCounts:
    (rows, rejected, masked, accepted), *_ = connection.execute(
        """
        select
            count(*),
            count(*) filter (flags <> 0),
            coalesce(sum(masked_count), 0)::bigint,
            (select count(*) from reference_changes),
        from reference_judged
        """
    ).fetchall()
    by_reason = connection.execute(
        f"""
        select reason, count(*)
        from (select unnest({reasons_sql("flags")}) as reason from reference_judged where flags <> 0)
        group by 1 order by 1
        """
    ).fetchall()
    return ReferenceCounts(
        lines=rows + filtered,
        accepted=accepted,
        replaced=replaced,
        duplicates=rows - rejected - accepted,
        rejected=rejected,
        filtered=filtered,
        pii_masked=masked,
        rejected_by_reason=dict(by_reason),
        unknown_columns=unknown_columns,
    )


def _origin(load_id: int, ingested_at: datetime, source_file: str) -> dict[str, object]:
    """What the written rows say of where they come from; instants are stored in UTC without a zone."""
    return {
        "load_id": load_id,
        "ingested_at": ingested_at.astimezone(UTC).replace(tzinfo=None),
        "source_file": source_file,
    }


def _same_key(key: Sequence[str], left: str, right: str) -> str:
    return " and ".join(f'{left}."{column}" = {right}."{column}"' for column in key)
