"""Stores one transaction's lines: judged, deduplicated against all stored ids, split into events and quarantine.

A chunk is judged twice. First all its lines, as Arrow table ``recognized``, in the statement that writes the sound ones:
flawless, with nothing personal in them, and an id that stands nowhere else. The engine does that with all its threads and
keeps nothing on the way; of what a transaction has just written it reads with a single one. Then the few ``doubtful`` lines
in temp tables, step by step: ``staged_<n>`` has typed fields and verdict of one kind, view ``verdicts`` a row per line.
Tables ``shapes_<n>`` stay from chunk to chunk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.ingestion.judge import (
    explained_sql,
    reasons_sql,
    recognized_sql,
    shapes_sql,
    staged_sql,
)
from pipelines.ingestion.lines import MAX_LINE_BYTES, MAX_NESTING
from pipelines.ingestion.pii import SUSPICIOUS_LINE_SQL, mask_lines
from pipelines.ingestion.rules import REASON_BITS, TypeRules, quoted, type_rules
from pipelines.settings import Settings
from quality.contracts import Contract

_DUPLICATE = REASON_BITS["duplicate_event_id"]
_REPLACED = -1
"""Verdict of an accepted line whose event a later load of the same transaction replaces: it is not stored."""
_ARROW_ROWS = 50_000
"""Rows of a batch of recognized lines: what one thread reads at a time."""
_SHOWING = 20_000
"""Lines that are looked at for the usual shapes; those of other shapes become doubtful, which teaches theirs."""


@dataclass
class Tally:
    """What became of the lines of one load so far."""

    lines: int = 0
    accepted: int = 0
    late: int = 0
    replaced: int = 0
    duplicates: int = 0
    rejected: int = 0
    pii_masked: int = 0
    by_reason: dict[str, int] = field(default_factory=dict)
    min_timestamp: datetime | None = None
    max_timestamp: datetime | None = None
    superseded_lines: list[int] = field(default_factory=list)
    """Lines stored with an earlier chunk whose id a later chunk of the same load repeats."""

    def add_accepted(self, lines: int, late: int, first: datetime | None, last: datetime | None) -> None:
        """Count ``lines`` accepted ones more, ``late`` of which came late, from ``first`` to ``last``."""
        self.accepted += lines
        self.late += late
        self.min_timestamp = _extreme(min, self.min_timestamp, first)
        self.max_timestamp = _extreme(max, self.max_timestamp, last)


@dataclass(frozen=True)
class Load:
    """One load in progress: the file's name in the lake and whether its age limit is lifted.

    ``keeps_duplicates`` is false for mapped sources: their exports repeat what was delivered before, by nature.
    """

    load_id: int
    source_file: str
    historical: bool
    keeps_duplicates: bool = True


class EventStore:
    """Writes chunks of lines into ``raw.events`` and ``raw.quarantine`` within the caller's transaction."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, contract: Contract, settings: Settings, ingested_at: datetime
    ) -> None:
        self._connection = connection
        self._contract = contract
        self._settings = settings
        self._ingested_at = ingested_at.replace(tzinfo=None)
        self._rules: dict[str, TypeRules] = {each.name: type_rules(contract, each) for each in contract.event_types}
        self._rules[""] = type_rules(contract, None)
        self._shapes = {kind: f"shapes_{index}" for index, kind in enumerate(self._rules)}
        self._kinds: list[str] = []

    def store(self, chunk: pa.Table, loads: Sequence[Load], tallies: Mapping[int, Tally]) -> None:
        """Judge and store ``chunk`` (lines.LINES and load_id); add what became of it to ``tallies`` by load id."""
        self._register_loads(loads)
        self._recognize(chunk)
        self._find_contested()
        self._insert_sound()
        kinds = self._set_doubtful_apart(tallies)
        self._stage(kinds)
        self._mask(list(kinds), tallies)
        self._judge(list(kinds))
        self._deduplicate(list(kinds), tallies)
        self._insert_events({kind: f"staged_{index}" for index, kind in enumerate(kinds)})
        self._quarantine(list(kinds))
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
            select load_id, source_line, null::uuid as event_id, {_DUPLICATE} as flags from doubtful
            """
        )
        self._quarantine([])

    def _run(self, sql: str, parameters: Mapping[str, object] | None = None) -> duckdb.DuckDBPyConnection:
        return self._connection.execute(sql, parameters or {})

    def _any(self, rows: str, parameters: Mapping[str, object] | None = None) -> bool:
        return bool(self._run(f"select 1 from {rows} limit 1", parameters).fetchall())

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

    def _recognize(self, chunk: pa.Table) -> None:
        """Register ``recognized``, and learn the usual shapes of kinds that were not met before."""
        self._connection.register("chunk", chunk)
        # As a relation: its batches are made by all threads.
        recognized = self._connection.sql(recognized_sql(self._contract)).to_arrow_table(_ARROW_ROWS)
        self._connection.register("recognized", recognized)
        self._connection.unregister("chunk")
        self._kinds = sorted(kind for kind in pc.unique(recognized["kind"]).to_pylist() if kind is not None)
        self._connection.register("showing", recognized.slice(0, _SHOWING))
        # A transaction that was rolled back took its temp tables with it.
        known = {name for (name,) in self._run("select table_name from duckdb_tables() where temporary").fetchall()}
        for kind in self._kinds:
            if self._shapes[kind] not in known:
                self._run(f"create temp table {self._shapes[kind]} as {shapes_sql(self._rules[kind], 'showing', kind)}")

    def _find_contested(self) -> None:
        """Find the ``stored`` events whose ids occur in the chunk, and the ``contested`` lines whose ids are not theirs alone."""
        self._run(
            """
            create or replace temp table identified as
            select load_id, source_line, try_cast(event_id as uuid) as event_id from recognized where event_id is not null
            """
        )
        self._run(
            """
            create or replace temp table stored as
            select event_id, load_id, source_line, event_date, user_id, abs(epoch($now - ingested_at)) <= $window as gives_way
            from lake.raw.events
            where event_id in (select event_id from identified)
            """,
            {"now": self._ingested_at, "window": 60 * self._settings.replace_window_minutes},
        )
        self._run(
            """
            create or replace temp table contested as
            select load_id, source_line from identified
            where event_id in (
                select event_id from identified group by event_id having count(*) > 1
                union all
                select event_id from stored
            )
            """
        )

    def _insert_sound(self) -> None:
        """Write the events of the chunk that need no second look."""
        self._insert_events(
            {
                kind: f"""
                    (select * from ({staged_sql(self._rules[kind], "recognized", kind, self._shapes[kind])})
                    where not is_suspicious) as staged
                    anti join contested using (load_id, source_line)
                """
                for kind in self._kinds
            }
        )

    def _set_doubtful_apart(self, tallies: Mapping[int, Tally]) -> dict[str, int]:
        """Count the lines that were just stored; make the others ``doubtful`` and return their kinds with the number of each."""
        self._run(
            """
            create or replace temp table sound as
            with bounds as (
                select load_id, min(source_line) as first_line, max(source_line) as last_line
                from recognized group by load_id
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

    def _stage(self, kinds: Mapping[str, int]) -> None:
        for index, (kind, count) in enumerate(kinds.items()):
            staged = staged_sql(self._rules[kind], "doubtful", kind, self._shapes[kind])
            ((done,),) = self._run(f"create or replace temp table staged_{index} as {staged}").fetchall()
            if done < count:
                self._run(
                    f"""
                    create or replace temp table remaining as
                    from doubtful anti join staged_{index} using (load_id, source_line) where kind = {quoted(kind)}
                    """
                )
                self._stage_more(index, kind, "remaining")

    def _stage_more(self, index: int, kind: str, table: str) -> None:
        """Stage the lines of one kind that ``table`` holds, whatever their shapes."""
        shapes, rules = self._shapes[kind], self._rules[kind]
        self._run(
            f"""
            insert into {shapes} by name
            select * from ({shapes_sql(rules, table, kind)}) where shape not in (select shape from {shapes})
            """
        )
        self._run(f"insert into staged_{index} by name {staged_sql(rules, table, kind, shapes)}")

    def _mask(self, kinds: Sequence[str], tallies: Mapping[int, Tally]) -> None:
        """Mask personal data in the lines that may hold it, and stage those anew."""
        staged = [f"select load_id, source_line from staged_{index} where is_suspicious" for index in range(len(kinds))]
        broken = "select load_id, source_line from doubtful where is_suspicious"
        self._run(f"create or replace temp table suspicious as {' union all '.join([*staged, broken])}")
        if not self._any("suspicious"):
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
        for index, kind in enumerate(kinds):
            if self._any(f"staged_{index} where is_suspicious"):
                self._run(f"delete from staged_{index} where is_suspicious")
                self._stage_more(index, kind, "remasked")

    def _judge(self, kinds: Sequence[str]) -> None:
        """Unite the verdicts of all kinds."""
        columns = "load_id, source_line, event_id, user_id, event_timestamp, flags"
        staged = [f"select {columns} from staged_{index}" for index in range(len(kinds))]
        no_object = f"""
            select load_id, source_line, null::uuid as event_id, null::varchar as user_id,
                null::timestamp as event_timestamp,
                {REASON_BITS["malformed_json"]}
                    | case when defect in ('line_too_long', 'too_deep') and strlen(line) > {MAX_LINE_BYTES + 1}
                        then {REASON_BITS["line_too_long"]} else 0 end as flags
            from doubtful where kind is null
        """
        self._run(f"create or replace temp view verdicts as {' union all '.join([*staged, no_object])}")

    def _deduplicate(self, kinds: Sequence[str], tallies: Mapping[int, Tally]) -> None:
        """Store an id once: the last line of a load wins, and a stored event gives way for some minutes only."""
        self._run(
            """
            create or replace temp table repeated as
            select event_id from verdicts where flags = 0 group by event_id having count(*) > 1
            """
        )
        if not self._any("contested"):
            return
        self._overrule(
            kinds,
            f"""
            select load_id, source_line, {_DUPLICATE} as flags from verdicts
            where flags = 0 and event_id in (select event_id from stored where not gives_way)
            """,
        )
        self._run(
            """
            create or replace temp table losers as
            select load_id, source_line, next_load_id from (
                select load_id, source_line,
                    lead(load_id) over (partition by event_id order by load_id, source_line) as next_load_id
                from verdicts where flags = 0 and event_id in (from repeated)
            ) where next_load_id is not null
            """
        )
        self._overrule(
            kinds,
            f"""
            select load_id, source_line, case when next_load_id = load_id then {_DUPLICATE} else {_REPLACED} end as flags
            from losers
            """,
        )
        self._replace_stored(tallies)

    def _overrule(self, kinds: Sequence[str], verdicts: str) -> None:
        """Change what is said of single lines: query ``verdicts`` gives their load_id, source_line and new flags."""
        self._run(f"create or replace temp table overruled as {verdicts}")
        if self._any("overruled"):
            for index in range(len(kinds)):
                self._run(
                    f"""
                    update staged_{index} as staged set flags = overruled.flags from overruled
                    where staged.load_id = overruled.load_id and staged.source_line = overruled.source_line
                    """
                )

    def _replace_stored(self, tallies: Mapping[int, Tally]) -> None:
        self._run(
            """
            create or replace temp table replacements as
            select verdicts.load_id, stored.load_id as stored_load_id, stored.source_line as stored_line,
                stored.event_id, stored.event_date, stored.user_id
            from verdicts inner join stored using (event_id)
            where flags = 0 and gives_way
            """
        )
        for load_id, count in self._run(
            """
            select load_id, count(*) from (
                select load_id from replacements where load_id <> stored_load_id
                union all
                select next_load_id from losers where next_load_id <> load_id
            ) group by load_id
            """
        ).fetchall():
            tallies[load_id].replaced += count
        superseded = self._run(
            "select load_id, stored_line from replacements where load_id = stored_load_id"
        ).fetchall()
        for load_id, line in superseded:
            tallies[load_id].superseded_lines.append(line)
        self._run(
            """
            delete from lake.raw.events
            where event_id in (select event_id from replacements)
                and event_date in (select event_date from replacements)
            """
        )
        self._run(
            """
            insert into lake.ops.touched_days by name
            select distinct load_id, event_date, user_id, 'replaced' as cause from replacements
            where load_id <> stored_load_id
            """
        )

    def _insert_events(self, staged: Mapping[str, str]) -> None:
        """Write the flawless lines of the relations ``staged``, given by kind."""
        selects = [self._events_sql(kind, relation) for kind, relation in staged.items() if kind]
        if selects:
            order = " order by event_date" if self._spans_days() else ""
            self._run(
                f"insert into lake.raw.events by name {' union all by name '.join(selects)}{order}",
                {"ingested_at": self._ingested_at, "late": timedelta(hours=self._settings.late_after_hours)},
            )

    def _spans_days(self) -> bool:
        """Whether no single day holds most of the chunk, as in a historical file.

        Such rows are stored in the order of their days: then queries of one day skip the row groups of the others. The
        table is not partitioned, which would make a file per day and load, and cost a third more here.
        """
        rows = self._run(
            """
            select coalesce(2 * max(day_rows) < sum(day_rows), false) from (
                select count(*) as day_rows from recognized group by day
            )
            """
        ).fetchall()
        return bool(rows[0][0])

    def _events_sql(self, kind: str, staged: str) -> str:
        columns = self._contract.property_columns
        names = [prop.name for prop in self._contract[kind].properties if prop.name in columns]
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

    def _quarantine(self, kinds: Sequence[str]) -> None:
        self._run(
            f"""
            create or replace temp table flawed as
            select load_id, source_line, flags, event_id as valid_event_id, source_file
            from verdicts inner join loads using (load_id)
            where flags not in (0, {_REPLACED}) and (flags <> {_DUPLICATE} or keeps_duplicates)
            """
        )
        if not self._any("flawed"):
            return
        self._run(
            """
            create or replace temp table refused as
            select doubtful.*, flawed.* exclude (load_id, source_line) from doubtful inner join flawed using (load_id, source_line)
            """
        )
        explanations = [
            f"select * from ({explained_sql(self._rules[kind], 'refused', kind, self._shapes[kind])})"
            for kind in kinds
            if self._any("refused where kind = $kind", {"kind": kind})
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
                    case when flags = {_DUPLICATE} then 'event_id is stored already, or a later line of the load carries it' end) as details,
                coalesce(valid_event_id::varchar, explained.event_id) as event_id,
                $ingested_at::timestamp as ingested_at
            from refused
            left join explained
                on refused.load_id = explained.load_id and refused.source_line = explained.source_line
            """,
            {"ingested_at": self._ingested_at},
        )

    def _count(self, tallies: Mapping[int, Tally]) -> None:
        accepted = f"flags in (0, {_REPLACED})"
        rejected = f"not {accepted} and flags <> {_DUPLICATE}"
        by_reason = ", ".join(f"count(*) filter ({rejected} and flags & {bit} <> 0)" for bit in REASON_BITS.values())
        for load_id, lines, taken, late, duplicates, refused, first, last, *reasons in self._run(
            f"""
            select
                load_id,
                count(*),
                count(*) filter ({accepted}),
                count(*) filter ({accepted} and $ingested_at::timestamp - event_timestamp > $late::interval),
                count(*) filter (flags = {_DUPLICATE}),
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


def _extreme(choose: object, *values: datetime | None) -> datetime | None:
    given = [value for value in values if value is not None]
    return choose(given) if given else None  # type: ignore[operator]
