"""What the child processes do, each function one job: ``python -m benchmarks.jobs NAME '{"input": …}'``.

A job reads its home from the environment as every command does, and prints what it found as one line of JSON.
``seconds`` is the work itself, without the interpreter's start-up and imports.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import cycle, islice, pairwise
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.typical import metric_pages, typical_queries
from models_ml.simulation import World, write_company, write_slice
from pipelines.errors import WorkFailedError
from pipelines.ingestion.lines import KEPT_LINE_BYTES
from pipelines.ingestion.load import ingest_files
from pipelines.lake.connection import Lake, connect
from pipelines.run import refresh, take_landing
from pipelines.settings import load_settings, now
from quality.contracts import Contract, load_contract

Found = Mapping[str, Any]


def simulate(*, out: str, **day: Any) -> Found:
    """Write the days of a company."""
    world, contract, started = _world(**day), load_contract(), time.perf_counter()
    write_company(world, contract, Path(out))
    return {"seconds": time.perf_counter() - started}


def simulate_batch(*, path: str, minutes: int, batch: int, **day: Any) -> Found:
    """Write more lines of the last minutes of a day that was written before."""
    world = _world(**day)
    start = world.end - timedelta(minutes=minutes)
    truth = write_slice(world, load_contract(), Path(path), start=start, seconds=60 * minutes, events=batch)
    return {"lines": truth.lines}


def floor(*, files: Sequence[str], out: str) -> Found:
    """Let DuckDB parse event files into the contract's typed columns and write one Parquet file; no rule is applied."""
    started = time.perf_counter()
    with connect(load_settings().prepare()) as connection:
        connection.execute(
            f"""
            copy (
                select {_floor_columns(load_contract())}
                from read_json($files, format = 'newline_delimited', columns = {_json_columns(load_contract())},
                    ignore_errors = true, maximum_object_size = {KEPT_LINE_BYTES})
            ) to {_literal(out)} (format parquet)
            """,
            {"files": list(files)},
        )
    return {"seconds": time.perf_counter() - started}


def ingest(*, files: Sequence[str], as_of: str) -> Found:
    """Take event files in with every rule."""
    started = time.perf_counter()
    lake = Lake(load_settings().prepare())
    results = ingest_files(lake, [Path(file) for file in files], ingested_at=datetime.fromisoformat(as_of))
    names = ("lines", "accepted", "duplicates", "rejected")
    counts = {name: sum(getattr(result, name) for result in results) for name in names}
    return {"seconds": time.perf_counter() - started, **counts}


def run(*, as_of: str, real_time: bool, backfill: bool = False) -> Found:
    """The whole job as ``truelift run`` does it, with the seconds of each phase and of each dbt node."""
    lake, instant, at = Lake(load_settings().prepare()), datetime.fromisoformat(as_of), now()
    marks = [("ingest", time.perf_counter())]
    landing = take_landing(lake, as_of=instant, at=at, backfill=backfill)
    failed = [result.error for result in landing.results if result.status == "failed"]
    if failed or not landing.results:
        raise WorkFailedError(f"{len(landing.results)} files were taken in, {len(failed)} could not be: {failed[:1]}")
    built, _, publication = refresh(
        lake,
        as_of=instant,
        at=at,
        real_time=real_time,
        on_phase=lambda name: marks.append((name, time.perf_counter())),
    )
    marks.append(("", time.perf_counter()))
    return {
        "phases": {name: after - begin for (name, begin), (_, after) in pairwise(marks)},
        "nodes": {node.name: node.seconds for node in built.nodes},
        "events": sum(result.accepted for result in landing.results if result.target == "events"),
        "views": len(publication.views),
    }


def query(*, runs: int) -> Found:
    """Milliseconds of each query over an open connection; and of opening one and of the first query there."""
    lake = Lake(load_settings())
    with _published(lake) as connection:
        pages, queries = metric_pages(connection), typical_queries(connection)
        asked = [*queries, *pages]
        # Round after round, so that a disturbance of the machine hits all of them alike. The first warms up.
        rounds = [[_milliseconds(query.rows, connection) for query in asked] for _ in range(runs + 1)][1:]
    times = {query.name: list(each) for query, *each in zip(asked, *rounds, strict=True)}
    opening, first = [], []
    for query in islice(cycle(queries), runs):
        started = time.perf_counter()
        with _published(lake) as connection:
            opening.append(1000 * (time.perf_counter() - started))
            first.append(_milliseconds(query.rows, connection))
    return {
        "queries": {query.name: times[query.name] for query in queries},
        "pages": {query.name: times[query.name] for query in pages},
        "opening": opening,
        "first": first,
    }


@contextmanager
def _published(lake: Lake) -> Iterator[duckdb.DuckDBPyConnection]:
    with lake.reader() as connection:
        connection.execute("use lake.published")
        yield connection


def _milliseconds(work: Callable[[duckdb.DuckDBPyConnection], object], connection: duckdb.DuckDBPyConnection) -> float:
    started = time.perf_counter()
    work(connection)
    return 1000 * (time.perf_counter() - started)


def _world(*, end: str, **more: Any) -> World:
    return World(end=datetime.fromisoformat(end), oversized_lines=0, **more)


def _floor_columns(contract: Contract) -> str:
    """Every field of an event as a column of its own, as ``raw.events`` has them."""
    envelope = [f'"{name}"' for name in contract.envelope["properties"] if name in contract.event_columns]
    properties = [f'properties."{name}"' for name in contract.property_columns]
    context = [f'context."{name}"' for name in contract.context_fields]
    return ", ".join([*envelope, *properties, *context])


def _json_columns(contract: Contract) -> str:
    """The types of the nested JSON as ``read_json`` takes them; instants keep their zone while they are read."""
    kinds = contract.event_columns
    fields = {name: _read_type(kinds[name]) for name in contract.envelope["properties"] if name in kinds}
    fields["properties"] = _struct({name: _read_type(kind) for name, kind in contract.property_columns.items()})
    fields["context"] = _struct(dict.fromkeys(contract.context_fields, "varchar"))
    return "{" + ", ".join(f"{_literal(name)}: {_literal(kind)}" for name, kind in fields.items()) + "}"


def _struct(fields: Mapping[str, str]) -> str:
    return "struct(" + ", ".join(f'"{name}" {kind}' for name, kind in fields.items()) + ")"


def _read_type(kind: str) -> str:
    return "timestamptz" if kind == "timestamp" else kind


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


JOBS: Mapping[str, Callable[..., Found]] = {
    job.__name__: job for job in (simulate, simulate_batch, floor, ingest, run, query)
}

if __name__ == "__main__":
    print(json.dumps(JOBS[sys.argv[1]](**json.loads(sys.argv[2]))))
