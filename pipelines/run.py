"""The whole job without an orchestrator: landing to published. Dagster's assets call the same functions step by step."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from pipelines.ingestion.files import is_known, ready_files
from pipelines.ingestion.load import LoadResult, Progress, open_ingestion
from pipelines.ingestion.operations import take_operations
from pipelines.lake.audit import Audit, audit
from pipelines.lake.connection import Lake
from pipelines.lake.publishing import Publication, current_version, publish
from pipelines.operations.queries import logged_step
from pipelines.operations.system_events import write_back
from pipelines.transformation.build import Build, Node, build
from pipelines.transformation.build import Progress as BuildProgress
from quality.checks import CheckResult

REAL_TIME = "tag:real_time"
"""dbt selector of the models that every landing batch refreshes."""


@dataclass(frozen=True)
class Landing:
    """What one pass over the landing folder did; ``unknown`` files are neither events nor references and stay."""

    results: tuple[LoadResult, ...]
    unknown: tuple[Path, ...]


@dataclass(frozen=True)
class Run:
    """The outcome of a whole run."""

    landing: Landing
    build: Build
    audit: Audit
    publication: Publication


@logged_step("ingestion")
def take_landing(
    lake: Lake, *, as_of: datetime, at: datetime, backfill: bool = False, progress: Progress | None = None
) -> Landing:
    """Take in what lies ready in the landing folder at the instant ``at``, and the operations log, as of ``as_of``."""
    with open_ingestion(lake, ingested_at=as_of, backfill=backfill, progress=progress) as ingestion:
        files = ready_files(lake.settings, at)  # under the lock, or another run takes them away once they are listed
        results = take_operations(ingestion, lake.settings)
        results += ingestion.load_files([path for path in files if is_known(path)])
    return Landing(tuple(results), tuple(path for path in files if not is_known(path)))


def refresh(
    lake: Lake,
    *,
    as_of: datetime,
    at: datetime,
    real_time: bool = False,
    full_refresh: bool = False,
    on_build: Callable[[BuildProgress], None] | None = None,
    on_phase: Callable[[str], None] | None = None,
) -> tuple[Build, Audit, Publication]:
    """Build, audit and publish what the lake holds, and write back as events what came of it.

    ``real_time`` narrows it to the models and checks of a landing batch. Raises WorkFailedError naming what failed;
    the published version then stays.
    """
    say, begin = on_phase or (lambda _: None), time.perf_counter()
    with lake.writing():
        say("build")
        built = build(
            lake.settings,
            as_of,
            select=[REAL_TIME] if real_time else [],
            full_refresh=full_refresh,
            on_progress=on_build,
        )
        if any(not node.is_test for node in built.failed):
            built.raise_if_failed()
        # A failed test is audited like any other check: it is kept, and refuses what is published until it passes.
        say("audit")
        with lake.reader() as connection:
            version = current_version(connection)
            schemas = _schemas(connection)
        audited = audit(
            lake,
            as_of=as_of,
            run_id=str(uuid.uuid5(uuid.NAMESPACE_OID, f"{as_of.isoformat()} {version}")),
            version=version,
            scope="real_time" if real_time else "full",
            build_results=check_results(built.nodes, schemas),
        )
        say("publish")
        publication = publish(lake, audited, at)
        if publication.version == version:  # else readers have a newer one, and its run told of it
            write_back(lake, publication, seconds=time.perf_counter() - begin)
        return built, audited, publication


def check_results(nodes: Sequence[Node], schemas: Mapping[str, str]) -> tuple[CheckResult, ...]:
    """The outcomes of dbt's data tests as check results; ``schemas`` says in which schema each model lies."""
    return tuple(
        CheckResult(
            table=_table(node, schemas),
            check=node.name,
            severity="warning" if node.status == "warned" else "critical",
            passed=node.status == "passed",
            observed=node.message or f"{node.failures} failing rows",
            unexpected_count=node.failures,
            sample=tuple(", ".join(f"{key}={value}" for key, value in row.items()) for row in node.sample),
        )
        for node in nodes
        if node.kind == "test" and node.status != "skipped"
    )


def _table(node: Node, schemas: Mapping[str, str]) -> str:
    name = node.tested[0].split(".")[-1] if node.tested else node.name
    return f"{schemas.get(name, 'dbt')}.{name}"


def _schemas(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    rows = connection.execute(
        """
        select table_name, table_schema from information_schema.tables
        where table_catalog = 'lake' and table_schema in ('staging', 'intermediate', 'marts')
        """
    ).fetchall()
    return dict(rows)
