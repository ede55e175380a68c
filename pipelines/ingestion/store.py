"""Stores one transaction's lines: judged, deduplicated against all stored ids, split into events and quarantine.

Works chunk by chunk on what :mod:`pipelines.ingestion.judging` makes of it: Arrow tables ``staged_<n>`` with the lines of
one kind each, and view ``verdicts`` with one row per line. Only then ``lake`` is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import duckdb
import pyarrow as pa

from pipelines.ingestion.judging import Judge, Judged, Load
from pipelines.ingestion.rules import REASON_BITS
from pipelines.settings import Settings
from quality.contracts import Contract

_DUPLICATE = REASON_BITS["duplicate_event_id"]
_REPLACED = -1
"""Verdict of an accepted line whose event a later load of the same transaction replaces: it is not stored."""


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


class EventStore:
    """Writes chunks of lines into ``raw.events`` and ``raw.quarantine`` within the caller's transaction."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, contract: Contract, settings: Settings, ingested_at: datetime
    ) -> None:
        self._connection = connection
        # The engine can't push filters of identifiers into Arrow tables yet.
        connection.execute("set disabled_optimizers = 'join_filter_pushdown'")
        self._contract = contract
        self._settings = settings
        self._ingested_at = ingested_at.replace(tzinfo=None)
        self._judge = Judge(connection, contract, settings, self._ingested_at)

    def close(self) -> None:
        """Give back what it holds beside the caller's connection."""
        self._judge.close()

    def store(self, chunk: pa.Table, loads: Sequence[Load], tallies: Mapping[int, Tally]) -> None:
        """Judge and store ``chunk`` (lines.LINES and load_id); add what became of it to ``tallies`` by load id."""
        judged = self._judge.judge(chunk, loads)
        self._register(judged, loads)
        for load_id, count in judged.masked.items():
            tallies[load_id].pii_masked += count
        self._deduplicate(tallies)
        self._insert_events(list(judged.staged))
        self._quarantine()
        self._count(tallies)
        self._drop(judged)

    def quarantine_superseded(self, chunk: pa.Table, loads: Sequence[Load], tallies: Mapping[int, Tally]) -> None:
        """Quarantine as duplicates the lines of ``chunk`` that a later line of their own load superseded."""
        self._judge.recognize_masked(chunk)
        keys = chunk.select(["load_id", "source_line"])
        flags = pa.array([_DUPLICATE] * chunk.num_rows, pa.int32())
        self._register(Judged({}, keys.append_column("flags", flags), {}), loads)
        self._quarantine()

    def _run(self, sql: str, parameters: Mapping[str, object] | None = None) -> duckdb.DuckDBPyConnection:
        return self._connection.execute(sql, parameters or {})

    def _any(self, rows: str, parameters: Mapping[str, object] | None = None) -> bool:
        return bool(self._run(f"select 1 from {rows} limit 1", parameters).fetchall())

    def _register(self, judged: Judged, loads: Sequence[Load]) -> None:
        """Unite the verdicts of all kinds; ``overruled`` takes what deduplication says later."""
        table = {
            "load_id": pa.array([load.load_id for load in loads], pa.int64()),
            "source_file": pa.array([load.source_file for load in loads], pa.string()),
            "keeps_duplicates": pa.array([load.keeps_duplicates for load in loads], pa.bool_()),
        }
        self._connection.register("loads", pa.table(table))
        self._connection.register("broken", judged.broken)
        for index, staged in enumerate(judged.staged.values()):
            self._connection.register(f"staged_{index}", staged)
        columns = "load_id, source_line, event_id, user_id, event_timestamp, flags"
        kinds = [f"select {columns} from staged_{index}" for index in range(len(judged.staged))]
        no_object = """
            select load_id, source_line, null::uuid as event_id, null::varchar as user_id,
                null::timestamp as event_timestamp, flags
            from broken
        """
        self._run("create or replace temp table overruled (load_id bigint, source_line bigint, flags integer)")
        self._run(
            f"""
            create or replace temp view verdicts as
            with judged as ({" union all ".join([*kinds, no_object])})
            select judged.* exclude (flags), coalesce(overruled.flags, judged.flags) as flags
            from judged left join overruled using (load_id, source_line)
            """
        )

    def _drop(self, judged: Judged) -> None:
        for index in range(len(judged.staged)):
            self._connection.unregister(f"staged_{index}")

    def _deduplicate(self, tallies: Mapping[int, Tally]) -> None:
        """Store an id once: the last line of a load wins, and a stored event gives way for some minutes only."""
        self._run(
            """
            create or replace temp table repeated as
            select event_id from verdicts where flags = 0 group by event_id having count(*) > 1
            """
        )
        self._run(
            """
            create or replace temp table stored as
            select event_id, load_id, source_line, event_date, user_id, abs(epoch($now - ingested_at)) <= $window as gives_way
            from lake.raw.events
            where event_id in (select event_id from verdicts where flags = 0)
            """,
            {"now": self._ingested_at, "window": 60 * self._settings.replace_window_minutes},
        )
        if not self._any("repeated") and not self._any("stored"):
            return
        self._run(
            f"""
            insert into overruled
            select load_id, source_line, {_DUPLICATE} from verdicts
            where flags = 0 and event_id in (select event_id from stored where not gives_way)
            """
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
        self._run(
            f"""
            insert into overruled
            select load_id, source_line, case when next_load_id = load_id then {_DUPLICATE} else {_REPLACED} end
            from losers
            """
        )
        self._replace_stored(tallies)

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

    def _insert_events(self, kinds: Sequence[str]) -> None:
        selects = [self._events_sql(index, kind) for index, kind in enumerate(kinds) if kind]
        if selects:
            order = " order by event_date" if self._spans_days() else ""
            self._run(
                f"insert into lake.raw.events by name {' union all by name '.join(selects)}{order}",
                {"ingested_at": self._ingested_at, "late": timedelta(hours=self._settings.late_after_hours)},
            )

    def _spans_days(self) -> bool:
        """Whether no single day holds most of the accepted rows, as in a historical file.

        Such rows are stored in the order of their days: then queries of one day skip the row groups of the others. The
        table is not partitioned, which would make a file per day and load, and cost a third more here.
        """
        rows = self._run(
            """
            select coalesce(2 * max(day_rows) < sum(day_rows), false) from (
                select count(*) as day_rows from verdicts where flags = 0 group by event_timestamp::date
            )
            """
        ).fetchall()
        return bool(rows[0][0])

    def _events_sql(self, index: int, kind: str) -> str:
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
            from staged_{index} as staged inner join loads using (load_id)
            anti join overruled using (load_id, source_line)
            where flags = 0
        """

    def _quarantine(self) -> None:
        flawed = self._run(
            f"""
            select load_id, source_line, flags, event_id::varchar as event_id
            from verdicts inner join loads using (load_id)
            where flags not in (0, {_REPLACED}) and (flags <> {_DUPLICATE} or keeps_duplicates)
            """
        ).to_arrow_table()
        if not flawed.num_rows:
            return
        self._connection.register("explained", self._judge.explain(flawed))
        self._run(
            """
            insert into lake.raw.quarantine by name
            select explained.*, source_file, $ingested_at::timestamp as ingested_at
            from explained inner join loads using (load_id)
            """,
            {"ingested_at": self._ingested_at},
        )
        self._connection.unregister("explained")

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
            tally.accepted += taken
            tally.late += late
            tally.duplicates += duplicates
            tally.rejected += refused
            tally.min_timestamp = _extreme(min, tally.min_timestamp, first)
            tally.max_timestamp = _extreme(max, tally.max_timestamp, last)
            for reason, count in zip(REASON_BITS, reasons, strict=True):
                if count:
                    tally.by_reason[reason] = tally.by_reason.get(reason, 0) + count


def _extreme(choose: object, *values: datetime | None) -> datetime | None:
    given = [value for value in values if value is not None]
    return choose(given) if given else None  # type: ignore[operator]
