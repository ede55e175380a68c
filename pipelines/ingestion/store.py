"""Stores one transaction's lines: judged, deduplicated against all stored ids, split into events and quarantine.

A chunk is judged twice. First all its lines, as Arrow table ``recognized``, in the statement that writes the sound ones:
flawless, with nothing personal in them, and an id that stands nowhere else. The engine does that with all its threads and
keeps nothing on the way; of what a transaction has just written it reads with a single one. Then the few ``doubtful`` lines
in temp tables, step by step: ``staged_<kind>`` has typed fields and verdict of one kind, view ``verdicts`` a row per line.
Tables ``shapes_<kind>`` stay from chunk to chunk.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.ingestion.duplicates import DUPLICATE, REPLACED, find_contested, settle_contested
from pipelines.ingestion.judge import (
    explained_sql,
    reasons_sql,
    recognized_sql,
    shapes_sql,
    staged_sql,
)
from pipelines.ingestion.lines import MAX_LINE_BYTES, MAX_NESTING
from pipelines.ingestion.pii import SUSPICIOUS_LINE_SQL, mask_lines
from pipelines.ingestion.rules import REASON_BITS, TypeRules, type_rules
from pipelines.ingestion.tally import Load, Tally
from pipelines.settings import Settings
from quality.contracts import Contract, EventType

_ARROW_ROWS = 50_000
"""Rows of a batch of recognized lines: what one thread reads at a time."""
_SORTED_ROWS = 250_000
"""Lines of several days that are stored at once."""
_SHOWING = 20_000
"""Lines that are looked at for the usual shapes; those of other shapes become doubtful, which teaches theirs."""


class EventStore:
    """Writes chunks of lines into ``raw.events`` and ``raw.quarantine`` within the caller's transaction."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, contract: Contract, settings: Settings, ingested_at: datetime
    ) -> None:
        self._connection = connection
        self._contract = contract
        self._settings = settings
        self._ingested_at = ingested_at.replace(tzinfo=None)
        self._rules: Sequence[TypeRules] = [type_rules(contract, each) for each in (*contract.event_types, None)]

    def store(self, chunk: pa.Table, loads: Sequence[Load], tallies: Mapping[int, Tally]) -> None:
        """Judge and store ``chunk`` (lines.LINES and load_id); add what became of it to ``tallies`` by load id."""
        self._register_loads(loads)
        recognized, marks = self._recognize(chunk)
        find_contested(self._connection, self._ingested_at, self._settings.replace_window_minutes)
        self._insert_sound(recognized, marks)
        doubtful = self._set_doubtful_apart(tallies)
        staged = {kind: f"staged_{kind}" for kind in doubtful}
        with self._planned_simply():
            for kind, table in staged.items():
                self._stage(kind, table, doubtful[kind])
        self._mask(staged, tallies)
        self._judge(staged)
        settle_contested(self._connection, list(staged.values()), tallies)
        with self._planned_simply():
            self._insert_events(staged)
            self._quarantine(staged)
            self._count(tallies)

    def quarantine_superseded(self, chunk: pa.Table, loads: Sequence[Load], tallies: Mapping[int, Tally]) -> None:
        """Quarantine as duplicates the lines of ``chunk`` that a later line of their own load superseded."""
        self._register_loads(loads)
        self._recognize(chunk)
        self._run("create or replace temp table doubtful as select *, true as is_suspicious from recognized")
        mask_lines(self._connection, "doubtful", self._settings.pii_key())
        self._run(
            f"""
            create or replace temp view verdicts as
            select load_id, source_line, null::uuid as event_id, {DUPLICATE} as flags from doubtful
            """
        )
        self._quarantine(())

    @contextmanager
    def _planned_simply(self) -> Iterator[None]:
        """Run statements as they stand: to optimize them takes twice as long as to put them to a few lines.

        Not for an update from another table: without the optimizer its condition is no join, but filters all pairs.
        """
        self._run("pragma disable_optimizer")
        try:
            yield
        finally:
            self._run("pragma enable_optimizer")

    def _run(self, sql: str, parameters: Mapping[str, object] | None = None) -> duckdb.DuckDBPyConnection:
        return self._connection.execute(sql, parameters or {})

    def _count_of(self, rows: str) -> int:
        ((count,),) = self._run(f"select count(*) from {rows}").fetchall()
        return int(count)

    def _register_loads(self, loads: Sequence[Load]) -> None:
        earliest = self._ingested_at - timedelta(days=self._settings.max_event_age_days)
        latest = self._ingested_at + timedelta(minutes=self._settings.future_tolerance_minutes)
        table = pa.table(
            {
                "load_id": pa.array([load.load_id for load in loads], pa.int64()),
                "source_file": pa.array([load.source_file for load in loads], pa.string()),
                "earliest": pa.array([None if load.historical else earliest for load in loads], pa.timestamp("us")),
                "latest": pa.array([latest for _ in loads], pa.timestamp("us")),
                "keeps_duplicates": pa.array([load.keeps_duplicates for load in loads], pa.bool_()),
            }
        )
        self._connection.register("loads", table)

    def _recognize(self, chunk: pa.Table) -> tuple[pa.Table, pa.Table]:
        """Register and return ``recognized`` and ``marks``; learn the usual shapes of kinds not met before."""
        numbered = chunk.append_column("position", pa.array(np.arange(chunk.num_rows)))
        self._connection.register("chunk", numbered)
        # As a relation: its batches are made by all threads, in any order.
        marks = self._connection.sql(recognized_sql(self._contract)).to_arrow_table(_ARROW_ROWS)
        self._connection.unregister("chunk")
        self._connection.register("marks", marks)
        order = pc.sort_indices(marks["position"])
        recognized = chunk
        for name in ("kind", "key_count"):
            recognized = recognized.append_column(name, marks[name].take(order))
        self._connection.register("recognized", recognized)
        self._connection.register("showing", recognized.slice(0, _SHOWING))
        # A transaction that was rolled back took its temp tables with it.
        known = {name for (name,) in self._run("select table_name from duckdb_tables() where temporary").fetchall()}
        for kind in _kinds(recognized):
            if (shapes := _shapes(kind)) not in known:
                self._run(f"create temp table {shapes} as {shapes_sql(self._rules[kind], 'showing', kind)}")
        return recognized, marks

    def _insert_sound(self, recognized: pa.Table, marks: pa.Table) -> None:
        """Write the events of the chunk that need no second look.

        Where no single day holds most of it, as in a historical file, they are stored in the order of their days: then
        queries of one day skip the row groups of the others. The table is not partitioned, which would make a file per
        day and load, and cost a third more here.
        """
        days = marks["day"].value_counts().to_pylist()
        spans_days = 2 * max((day["counts"] for day in days), default=0) < marks.num_rows
        for part in _in_order_of_days(recognized, marks) if spans_days else (recognized,):
            self._connection.register("part", part)
            self._insert_events(
                {
                    kind: f"""
                        (select * from ({self._staged_sql(kind, "part")}) where not is_suspicious) as staged
                        anti join contested using (load_id, source_line)
                    """
                    for kind in _kinds(part)
                },
                "order by event_date" if spans_days else "",
            )

    def _set_doubtful_apart(self, tallies: Mapping[int, Tally]) -> dict[int, int]:
        """Count the lines that were just stored; make the others ``doubtful`` and return their kinds with the number of each."""
        self._run(
            """
            create or replace temp table sound as
            with bounds as (
                select load_id, min(source_line) as first_line, max(source_line) as last_line
                from marks group by load_id
            )
            select events.load_id, source_line, "timestamp", late_arrival
            from lake.raw.events
            inner join bounds on events.load_id = bounds.load_id and source_line between first_line and last_line
            where events.load_id >= $first
            """,
            {"first": min(tallies)},
        )
        for load_id, lines, late, first, last in self._run(
            """
            select load_id, count(*), count(*) filter (late_arrival), min("timestamp"), max("timestamp")
            from sound group by load_id
            """
        ).fetchall():
            tallies[load_id].lines += lines
            tallies[load_id].add_accepted(lines, late, first, last)
        self._run(
            f"""
            create or replace temp table doubtful as
            select *, case when kind is null then {SUSPICIOUS_LINE_SQL} else false end as is_suspicious
            from recognized anti join sound using (load_id, source_line)
            """
        )
        counts = self._run("select kind, count(*) from doubtful where kind is not null group by kind order by kind")
        return dict(counts.fetchall())

    def _stage(self, kind: int, staged: str, count: int) -> None:
        """Fill table ``staged`` with the ``count`` doubtful lines of one kind."""
        self._run(f"create or replace temp table {staged} as {self._staged_sql(kind, 'doubtful')}")
        if self._count_of(staged) < count:
            self._run(
                f"""
                create or replace temp table remaining as
                from doubtful anti join {staged} using (load_id, source_line) where kind = {kind}
                """
            )
            self._stage_more(kind, staged, "remaining")

    def _stage_more(self, kind: int, staged: str, lines: str) -> None:
        """Stage the lines of one kind that table ``lines`` holds, whatever their shapes."""
        shapes = _shapes(kind)
        self._run(
            f"""
            insert into {shapes} by name
            select * from ({shapes_sql(self._rules[kind], lines, kind)}) where shape not in (select shape from {shapes})
            """
        )
        self._run(f"insert into {staged} by name {self._staged_sql(kind, lines)}")

    def _staged_sql(self, kind: int, lines: str) -> str:
        return staged_sql(self._rules[kind], lines, kind, _shapes(kind))

    def _mask(self, staged: Mapping[int, str], tallies: Mapping[int, Tally]) -> None:
        """Mask personal data in the lines that may hold it, and stage those anew."""
        suspicious = [
            f"select load_id, source_line from {table} where is_suspicious" for table in ("doubtful", *staged.values())
        ]
        self._run(f"create or replace temp table suspicious as {' union all '.join(suspicious)}")
        if not self._count_of("suspicious"):
            return
        self._run(
            """
            update doubtful set is_suspicious = true from suspicious
            where doubtful.load_id = suspicious.load_id and doubtful.source_line = suspicious.source_line
            """
        )
        for load_id, count in mask_lines(self._connection, "doubtful", self._settings.pii_key()).items():
            tallies[load_id].pii_masked += count
        self._run("create or replace temp table remasked as from doubtful where is_suspicious")
        for kind, table in staged.items():
            if self._count_of(f"{table} where is_suspicious"):
                self._run(f"delete from {table} where is_suspicious")
                self._stage_more(kind, table, "remasked")

    def _judge(self, staged: Mapping[int, str]) -> None:
        """Unite the verdicts of all kinds."""
        columns = "load_id, source_line, event_id, user_id, event_timestamp, flags"
        verdicts = [f"select {columns} from {table}" for table in staged.values()]
        no_object = f"""
            select load_id, source_line, null::uuid as event_id, null::varchar as user_id,
                null::timestamp as event_timestamp,
                {REASON_BITS["malformed_json"]}
                    | case when defect in ('line_too_long', 'too_deep') and strlen(line) > {MAX_LINE_BYTES + 1}
                        then {REASON_BITS["line_too_long"]} else 0 end as flags
            from doubtful where kind is null
        """
        self._run(f"create or replace temp view verdicts as {' union all '.join([*verdicts, no_object])}")

    def _insert_events(self, staged: Mapping[int, str], order: str = "") -> None:
        """Write the flawless lines of the relations ``staged``, given by kind."""
        types = self._contract.event_types
        selects = [self._events_sql(types[kind], relation) for kind, relation in staged.items() if kind < len(types)]
        if selects:
            self._run(
                f"insert into lake.raw.events by name {' union all by name '.join(selects)} {order}",
                {"ingested_at": self._ingested_at, "late": timedelta(hours=self._settings.late_after_hours)},
            )

    def _events_sql(self, event_type: EventType, staged: str) -> str:
        columns = self._contract.property_columns
        names = [prop.name for prop in event_type.properties if prop.name in columns]
        properties = "".join(f', "{name}"::{columns[name]} as "{name}"' for name in names)
        context = "".join(f', "{name}"' for name in self._contract.context_fields)
        return f"""
            select
                event_id, event_type, event_timestamp as "timestamp",
                event_timestamp::date as event_date, user_id, session_id, source{context}{properties},
                unknown_properties,
                $ingested_at::timestamp as ingested_at, load_id, source_file, source_line,
                $ingested_at::timestamp - event_timestamp > $late::interval as late_arrival,
                epoch($ingested_at::timestamp - event_timestamp) as ingestion_lag_seconds
            from {staged}
            where flags = 0
        """

    def _quarantine(self, kinds: Iterable[int]) -> None:
        self._run(
            f"""
            create or replace temp table refused as
            select doubtful.*, flags, verdicts.event_id as valid_event_id, source_file
            from verdicts
            inner join loads on verdicts.load_id = loads.load_id
            inner join doubtful on verdicts.load_id = doubtful.load_id and verdicts.source_line = doubtful.source_line
            where flags not in (0, {REPLACED}) and (flags <> {DUPLICATE} or keeps_duplicates)
            """
        )
        if not self._count_of("refused"):
            return
        explanations = [
            f"select * from ({explained_sql(self._rules[kind], 'refused', kind, _shapes(kind))})"
            for kind in kinds
            if self._count_of(f"refused where kind = {kind}")
        ]
        explanations.append(
            f"""select load_id, source_line, null::varchar as event_id,
                case when defect = 'not_utf8' then 'the line is not UTF-8 text'
                    when defect = 'too_deep' then 'the line nests more than {MAX_NESTING} levels'
                    when trim(line) = '' then 'the line is empty'
                    else 'the line is not a JSON object' end as details
            from refused where kind is null"""
        )
        self._run(
            f"""
            insert into lake.raw.quarantine by name
            with explained as ({" union all ".join(explanations)})
            select
                refused.load_id, source_file, refused.source_line, rtrim(line, chr(10) || chr(13)) as raw_line,
                {reasons_sql("flags")} as reasons,
                concat_ws('; ', explained.details,
                    case when flags & {REASON_BITS["timestamp_in_future"]} <> 0 then 'timestamp lies in the future' end,
                    case when flags & {REASON_BITS["timestamp_too_old"]} <> 0
                        then 'timestamp is too old; a historical load (--backfill) takes it' end,
                    case when flags = {DUPLICATE} then 'event_id is stored already, or a later line of the load carries it' end) as details,
                coalesce(valid_event_id::varchar, explained.event_id) as event_id,
                $ingested_at::timestamp as ingested_at
            from refused
            left join explained
                on refused.load_id = explained.load_id and refused.source_line = explained.source_line
            """,
            {"ingested_at": self._ingested_at},
        )

    def _count(self, tallies: Mapping[int, Tally]) -> None:
        accepted = f"flags in (0, {REPLACED})"
        rejected = f"not {accepted} and flags <> {DUPLICATE}"
        by_reason = ", ".join(f"count(*) filter ({rejected} and flags & {bit} <> 0)" for bit in REASON_BITS.values())
        for load_id, lines, taken, late, duplicates, refused, first, last, *reasons in self._run(
            f"""
            select
                load_id,
                count(*),
                count(*) filter ({accepted}),
                count(*) filter ({accepted} and $ingested_at::timestamp - event_timestamp > $late::interval),
                count(*) filter (flags = {DUPLICATE}),
                count(*) filter ({rejected}),
                min(event_timestamp) filter ({accepted}),
                max(event_timestamp) filter ({accepted}),
                {by_reason}
            from verdicts group by load_id
            """,
            {"ingested_at": self._ingested_at, "late": timedelta(hours=self._settings.late_after_hours)},
        ).fetchall():
            tally = tallies[load_id]
            tally.lines += lines
            tally.add_accepted(taken, late, first, last)
            tally.duplicates += duplicates
            tally.rejected += refused
            for reason, count in zip(REASON_BITS, reasons, strict=True):
                if count:
                    tally.by_reason[reason] = tally.by_reason.get(reason, 0) + count


def _shapes(kind: int) -> str:
    """The temp table of the known shapes of a kind."""
    return f"shapes_{kind}"


def _kinds(recognized: pa.Table) -> list[int]:
    """The kinds of the lines, of which those that are no object have none."""
    return sorted(kind for kind in pc.unique(recognized["kind"]).to_pylist() if kind is not None)


def _in_order_of_days(recognized: pa.Table, marks: pa.Table) -> Iterator[pa.Table]:
    """The lines day after day, in parts that can be sorted in memory: wide rows hardly can be from disk."""
    order = marks["position"].take(pc.sort_indices(marks["day"]))
    for start in range(0, len(order), _SORTED_ROWS):
        yield recognized.take(order.slice(start, _SORTED_ROWS))
