"""Sources: a mapping applied to its files gives canonical event lines and reference rows, loaded like any other.

Everything that a mapping names is checked before a row is written. Lines are judged by the rules of the event
contract and rows by those of the references, not here.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from pipelines.errors import UserError
from pipelines.ingestion.event_lines import create_macros, lines_sql
from pipelines.ingestion.inputs import OpenInput, first_sentence, open_input
from pipelines.ingestion.lines import LINES
from pipelines.ingestion.load import EventInput, Ingestion, LoadResult, Progress, open_ingestion
from pipelines.ingestion.mapping import DOCUMENTATION, Output, SourceMapping, find_mapping
from pipelines.ingestion.mapping_sql import inputs_of, view_label
from pipelines.ingestion.references import load_reference_rows
from pipelines.lake.connection import Lake
from pipelines.lake.tables import REFERENCES
from quality.contracts import Contract, load_contract

_BATCH_ROWS = 100_000
_MISSING_COLUMN = re.compile(r'Referenced column "([^"]+)" not found|does not have a column named "([^"]+)"')


def ingest_source(
    lake: Lake,
    name: str,
    *,
    ingested_at: datetime,
    folder: Path | None = None,
    backfill: bool = False,
    progress: Progress | None = None,
) -> list[LoadResult]:
    """Take in the files of a source by its mapping; one load, and one result, per output of the mapping.

    The files are looked for in ``folder``, else in the settings' source folders. An output whose files and
    definition were loaded before is not loaded again. Raises UserError, before a row is written, for an unknown
    source, missing files and whatever in the mapping does not fit them.
    """
    contract = load_contract()
    mapping = find_mapping(name, lake.settings, contract)
    folders = (folder,) if folder else lake.settings.source_folders
    with (
        open_ingestion(lake, ingested_at=ingested_at, backfill=backfill, progress=progress) as ingestion,
        open_source(ingestion.connection, mapping, folders, contract) as source,
    ):
        results = []
        for number, output in enumerate(mapping.outputs):
            if progress:
                progress(f"{name} {output.target}", number, len(mapping.outputs))
            results.append(source.load(output, ingestion, lake.settings.pii_key()))
        return results


@contextmanager
def open_source(
    connection: duckdb.DuckDBPyConnection, mapping: SourceMapping, folders: Sequence[Path], contract: Contract
) -> Iterator[Source]:
    """Open a mapping's inputs beside ``connection`` and check its outputs against them. Raises UserError."""
    with connection.cursor() as cursor:
        cursor.execute("set TimeZone = 'UTC'")
        create_macros(cursor)
        used = inputs_of(cursor, mapping)
        opened = {name: open_input(cursor, spec, folders) for name, spec in mapping.inputs.items()}
        inputs = {label: tuple(opened[name] for name in names) for label, names in used.items()}
        source = Source(cursor, mapping, contract, inputs)
        source.check()
        yield source


@dataclass(frozen=True)
class Source:
    """A mapping with its inputs open. Use :func:`open_source`."""

    cursor: duckdb.DuckDBPyConnection
    mapping: SourceMapping
    contract: Contract
    inputs: Mapping[str, tuple[OpenInput, ...]]
    """The inputs that each output, and each view, reads, by its label."""

    def check(self) -> None:
        """Create the views, and bind every expression to the columns that exist; no row is read. Raises UserError."""
        for name, select in self.mapping.views.items():
            self._bind(view_label(name), "select", f'create temp view "{name}" as {select}')
        for output in self.mapping.outputs:
            self._bind(output.label, "from", f"describe select 1 from {output.relation}")
            for place, expression in output.row_expressions:
                self._bind(output.label, place, f"describe select ({expression}\n) from {output.relation}")
            for field, expression in output.fields.items():
                self._bind(output.label, f"field {field}", f"describe {output.select_sql({field: expression})}")

    def load(self, output: Output, ingestion: Ingestion, pii_key: bytes) -> LoadResult:
        """Load one output, unless its files were loaded by the same definition before."""
        described = self.describe(output)
        if ingestion.is_known(described.content_hash):
            return replace(described, status="known")
        rows, filtered = self.count(output)
        described = replace(described, source_rows=rows, filtered=filtered)
        if output.target in REFERENCES:
            reader = self.reference_rows(output)
            return ingestion.load_reference(
                described,
                lambda load_id: load_reference_rows(
                    ingestion.connection,
                    output.target,
                    reader,
                    load_id=load_id,
                    ingested_at=ingestion.ingested_at,
                    pii_key=pii_key,
                    source_file=described.source_file,
                    filtered=filtered,
                ),
            )
        self.make_event_lines(output)
        (result,) = ingestion.load_events(
            EventInput(
                source=described.source,
                source_file=described.source_file,
                content_hash=described.content_hash,
                bytes=described.bytes,
                chunks=self.event_lines,
                conversions=described.conversions,
                historical=self.mapping.historical,
                source_rows=rows,
                filtered=filtered,
            )
        )
        return result

    def describe(self, output: Output) -> LoadResult:
        """What an output's load will be known by: its files, and a hash of their contents and of its definition."""
        inputs = self.inputs[output.label]
        definition = [
            asdict(replace(output, label="")),
            dict(self.mapping.views),
            self.mapping.historical,
            self.mapping.conversions,
        ]
        identity = [self.mapping.name, definition, [each.content_hash for each in inputs]]
        return LoadResult(
            source=self.mapping.name,
            target=output.target,
            source_file=", ".join(origin for each in inputs for origin in each.origins),
            content_hash=hashlib.sha256(json.dumps(identity).encode()).hexdigest(),
            bytes=sum(each.size for each in inputs),
            conversions=self.mapping.conversions,
        )

    def count(self, output: Output) -> tuple[int, int]:
        """Rows that an output's ``from`` yields, and how many of them its ``where`` leaves out."""
        kept = f"coalesce(({output.where or 'true'}\n)::boolean, false)"
        sql = f"select count(*), count(*) filter (not {kept}) from {output.relation}"
        rows = self._run(output, sql).fetchall()
        return int(rows[0][0]), int(rows[0][1])

    def reference_rows(self, output: Output) -> pa.RecordBatchReader:
        """The rows of an output to a reference input, in an order that depends on their values only."""
        self._run(output, f"create or replace temp table mapped as {output.select_sql()}")
        return self._run(output, "select * from mapped order by all").to_arrow_reader(_BATCH_ROWS)

    def make_event_lines(self, output: Output) -> None:
        """Write the event lines of an output into temp table ``event_lines``, where :meth:`event_lines` reads them."""
        rows = output.select_sql()
        described = self._run(output, f"describe {rows}").fetchall()
        types = {str(name): str(kind) for name, kind, *_ in described}
        sql = lines_sql(self.contract, output.target, types, f"({rows})")
        self._run(output, f"create or replace temp table event_lines as {sql}")

    def event_lines(self) -> Iterator[pa.Table]:
        """The event lines made last, in order, as tables of lines.LINES; can be called again."""
        query = "select source_line, line, null::varchar as defect from event_lines order by source_line"
        for batch in self.cursor.execute(query).to_arrow_reader(_BATCH_ROWS):
            yield pa.Table.from_batches([batch]).cast(LINES)

    def _run(self, output: Output, sql: str) -> duckdb.DuckDBPyConnection:
        try:
            return self.cursor.execute(sql)
        except duckdb.Error as error:
            raise UserError(
                f"Source {self.mapping.name}, {output.label}: {first_sentence(error)}.",
                "Nothing of this output was loaded. Mend the file, or let the mapping bear such values (try_cast).",
            ) from error

    def _bind(self, label: str, place: str, sql: str) -> None:
        try:
            self.cursor.execute(sql)
        except duckdb.Error as error:
            where = f"Source {self.mapping.name}, {label}, {place}"
            found = _MISSING_COLUMN.search(str(error))
            if found:
                raise self._lacks_column(where, found[1] or found[2], self.inputs[label]) from error
            raise UserError(f"{where}: {first_sentence(error)}.", f"Correct the SQL, see {DOCUMENTATION}.") from error

    def _lacks_column(self, where: str, column: str, inputs: Sequence[OpenInput]) -> UserError:
        lacking = [path for each in inputs for name, path in each.partial_columns if name.lower() == column.lower()]
        files = lacking or [origin for each in inputs for origin in each.origins]
        existing = "; ".join(f"{', '.join(each.origins) or each.name}: {', '.join(each.columns)}" for each in inputs)
        return UserError(
            f"{where}: there is no column {column} in {' or '.join(files)}.", f"Columns that exist: {existing}."
        )
