"""Judges one chunk of lines after the other: which are events, typed and masked, and what is wrong with the others.

Works on a connection of its own beside the transaction that stores what comes out, for the engine reads what a transaction
has just written with a single thread. Temp table ``lined`` has text and kind of every line of the chunk, Arrow tables
``staged_<n>`` the typed fields and verdicts of one kind (as temp tables they take twice as long); temp tables
``shapes_<n>`` stay from chunk to chunk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import duckdb
import pyarrow as pa

from pipelines.ingestion.judge import explained_sql, reasons_sql, recognized_sql, shapes_sql, staged_sql
from pipelines.ingestion.lines import MAX_LINE_BYTES, MAX_NESTING
from pipelines.ingestion.pii import mask_lines
from pipelines.ingestion.rules import REASON_BITS, TypeRules, quoted, type_rules
from pipelines.settings import Settings
from quality.contracts import Contract

_DUPLICATE = REASON_BITS["duplicate_event_id"]
_ARROW_ROWS = 50_000
"""Rows of a batch of staged lines: what one thread reads at a time."""
_SHOWING = 2_000
"""Lines of a kind that are looked at for its usual shapes; the others are found by what is missing afterwards."""


@dataclass(frozen=True)
class Load:
    """One load in progress: the file's name in the lake and whether its age limit is lifted.

    ``keeps_duplicates`` is false for mapped sources: their exports repeat what was delivered before, by nature.
    """

    load_id: int
    source_file: str
    historical: bool
    keeps_duplicates: bool = True


@dataclass(frozen=True)
class Judged:
    """What was found in a chunk: ``staged`` lines by kind (columns of judge.staged_sql), lines that are no JSON object
    as ``broken`` (load_id, source_line, flags), and how many personal texts were masked, by load id.
    """

    staged: Mapping[str, pa.Table]
    broken: pa.Table
    masked: Mapping[int, int]


class Judge:
    """Puts the contract's rules to chunks of lines. Close it when done."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, contract: Contract, settings: Settings, ingested_at: datetime
    ) -> None:
        self._connection = connection.cursor()
        self._connection.execute("set TimeZone = 'UTC'")
        # Identifiers shall travel as such and not as texts.
        self._connection.execute("set arrow_lossless_conversion = true")
        self._contract = contract
        self._settings = settings
        self._latest = ingested_at + timedelta(minutes=settings.future_tolerance_minutes)
        self._earliest = ingested_at - timedelta(days=settings.max_event_age_days)
        self._rules: dict[str, TypeRules] = {each.name: type_rules(contract, each) for each in contract.event_types}
        self._rules[""] = type_rules(contract, None)
        self._shapes = {kind: f"shapes_{index}" for index, kind in enumerate(self._rules)}
        self._learned: set[str] = set()
        self._staged: dict[str, pa.Table] = {}

    def close(self) -> None:
        """Give the connection and what it holds back."""
        self._connection.close()

    def judge(self, chunk: pa.Table, loads: Sequence[Load]) -> Judged:
        """Judge ``chunk`` (lines.LINES and load_id), which stays at hand for :meth:`explain` until the next one."""
        self._recognize(chunk)
        self._register_loads(loads)
        self._stage()
        masked = self._mask()
        broken = self._run(
            f"""
            select load_id, source_line,
                {REASON_BITS["malformed_json"]}
                    | case when defect in ('line_too_long', 'too_deep') and strlen(line) > {MAX_LINE_BYTES + 1}
                        then {REASON_BITS["line_too_long"]} else 0 end as flags
            from lined where kind is null
            """
        ).to_arrow_table()
        staged = dict(self._staged)
        self._drop()
        return Judged(staged, broken, masked)

    def recognize_masked(self, chunk: pa.Table) -> None:
        """Take in a chunk of lines that are to be quarantined whatever they hold, masked."""
        self._recognize(chunk)
        self._run("update lined set is_suspicious = true")
        mask_lines(self._connection, "lined", self._settings.pii_key())

    def explain(self, flawed: pa.Table) -> pa.Table:
        """The quarantined lines of this chunk that ``flawed`` names (load_id, source_line, flags, event_id where valid).

        Columns: load_id, source_line, raw_line, reasons, details, event_id.
        """
        self._connection.register("flawed", flawed)
        self._run(
            """
            create or replace temp table refused as
            select lined.*, flags, event_id as valid_event_id
            from lined inner join flawed using (load_id, source_line)
            """
        )
        self._connection.unregister("flawed")
        kinds = self._run("select distinct kind from refused where kind is not null order by kind").fetchall()
        explanations = [
            f"select * from ({explained_sql(self._rules[kind], 'refused', kind, self._shapes[kind])})"
            for (kind,) in kinds
            if self._shapes[kind] in self._learned
        ]
        explanations.append(
            f"""select load_id, source_line, null::varchar as event_id,
                case when defect = 'not_utf8' then 'the line is not UTF-8 text'
                    when defect = 'too_deep' then 'the line nests more than {MAX_NESTING} levels'
                    when trim(line) = '' then 'the line is empty'
                    else 'the line is not a JSON object' end as details
            from refused where kind is null"""
        )
        return self._run(
            f"""
            with explained as ({" union all ".join(explanations)})
            select
                refused.load_id, refused.source_line, rtrim(line, chr(10) || chr(13)) as raw_line,
                {reasons_sql("flags")} as reasons,
                concat_ws('; ', explained.details,
                    case when flags & {REASON_BITS["timestamp_in_future"]} <> 0 then 'timestamp lies in the future' end,
                    case when flags & {REASON_BITS["timestamp_too_old"]} <> 0
                        then 'timestamp is too old; a historical load (--backfill) takes it' end,
                    case when flags = {_DUPLICATE} then 'event_id is stored already, or a later line of the load carries it' end) as details,
                coalesce(valid_event_id, explained.event_id) as event_id
            from refused
            left join explained
                on refused.load_id = explained.load_id and refused.source_line = explained.source_line
            """
        ).to_arrow_table()

    def _run(self, sql: str) -> duckdb.DuckDBPyConnection:
        return self._connection.execute(sql)

    def _register_loads(self, loads: Sequence[Load]) -> None:
        table = pa.table(
            {
                "load_id": pa.array([load.load_id for load in loads], pa.int64()),
                "earliest": pa.array(
                    [None if load.historical else self._earliest for load in loads], pa.timestamp("us")
                ),
                "latest": pa.array([self._latest for _ in loads], pa.timestamp("us")),
            }
        )
        self._connection.register("loads", table)

    def _recognize(self, chunk: pa.Table) -> None:
        self._connection.register("chunk", chunk)
        self._run(f"create or replace temp table lined as {recognized_sql(self._contract)}")
        self._connection.unregister("chunk")

    def _stage(self) -> None:
        counts = self._run("select kind, count(*) from lined where kind is not null group by kind order by kind")
        kinds = dict(counts.fetchall())
        for kind in kinds:
            shapes = self._shapes[kind]
            if shapes not in self._learned:
                showing = f"(select * from lined where kind = {quoted(kind)} limit {_SHOWING})"
                self._run(f"create temp table {shapes} as {shapes_sql(self._rules[kind], showing, kind)}")
                self._learned.add(shapes)
            self._hold(kind, self._arrow(staged_sql(self._rules[kind], "lined", kind, shapes, plain=True)))
        if sum(staged.num_rows for staged in self._staged.values()) < sum(kinds.values()):
            done = " union all ".join(f"select load_id, source_line from {self._name(kind)}" for kind in kinds)
            self._run(
                f"""
                create or replace temp table remaining as
                from lined anti join ({done}) as done using (load_id, source_line) where kind is not null
                """
            )
            for (kind,) in self._run("select distinct kind from remaining").fetchall():
                self._stage_more(kind, "remaining")

    def _stage_more(self, kind: str, table: str) -> None:
        """Stage the lines of one kind that ``table`` holds, whatever their shapes and keys."""
        shapes, rules = self._shapes[kind], self._rules[kind]
        self._run(
            f"""
            insert into {shapes} by name
            select * from ({shapes_sql(rules, table, kind)}) where shape not in (select shape from {shapes})
            """
        )
        more = self._arrow(staged_sql(rules, table, kind, shapes, plain=False))
        self._hold(kind, pa.concat_tables([self._staged[kind], more]))

    def _mask(self) -> dict[int, int]:
        """Mask personal data in the lines that may hold it, and stage those anew; counts by load id."""
        staged = [f"select load_id, source_line from {self._name(kind)} where is_suspicious" for kind in self._staged]
        broken = "select load_id, source_line from lined where is_suspicious"
        self._run(f"create or replace temp table suspicious as {' union all '.join([*staged, broken])}")
        if not self._run("select 1 from suspicious limit 1").fetchall():
            return {}
        self._run(
            """
            update lined set is_suspicious = true from suspicious
            where lined.load_id = suspicious.load_id and lined.source_line = suspicious.source_line
            """
        )
        counts = mask_lines(self._connection, "lined", self._settings.pii_key())
        self._run("create or replace temp table remasked as from lined where is_suspicious")
        for (kind,) in self._run("select distinct kind from remasked where kind is not null").fetchall():
            self._hold(kind, self._arrow(f"from {self._name(kind)} where not is_suspicious"))
            self._stage_more(kind, "remasked")
        return counts

    def _arrow(self, staged: str) -> pa.Table:
        # As a relation: its batches are made by all threads.
        return self._connection.sql(staged).to_arrow_table(_ARROW_ROWS)

    def _name(self, kind: str) -> str:
        return self._shapes[kind].replace("shapes", "staged")

    def _hold(self, kind: str, staged: pa.Table) -> None:
        self._staged[kind] = staged
        self._connection.register(self._name(kind), staged)

    def _drop(self) -> None:
        for kind in self._staged:
            self._connection.unregister(self._name(kind))
        self._staged.clear()
