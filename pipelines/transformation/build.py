"""Builds and tests the dbt models: one call for the command line, Dagster and the tests."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from pipelines.errors import DISK_FULL, FREE_SPACE, UserError, WorkFailedError, is_disk_full
from pipelines.lake.connection import Lake
from pipelines.lake.tables import create_tables
from pipelines.operations.queries import Query, log_queries
from pipelines.settings import Settings
from pipelines.transformation.invocation import STATUS, Progress, parse, run, target_folder
from pipelines.transformation.project import Project, project_of
from pipelines.transformation.session import Session, active, last_load_id, set_variables
from quality.contracts import load_contract

__all__ = ["NIGHTLY", "Build", "Node", "Progress", "build", "manifest_path"]

NIGHTLY = "tag:nightly"
"""dbt selector of the tests that scan history; only a build of everything runs them."""

VIEWS = ("config.materialized:view,path:models/staging", "config.materialized:view,path:models/intermediate")
"""dbt selectors of the models that only change with the code. Marts that are views do too, but have tests of their rows."""

_SAMPLE_ROWS = 5


@dataclass(frozen=True)
class Node:
    """What became of one dbt node.

    ``status`` is ``passed``, ``warned``, ``failed`` or ``skipped``; ``rows`` the rows of a built table; ``failures``
    and ``sample`` how many rows a test found wrong, and some of them; ``tested`` the models that a test looks at.
    """

    unique_id: str
    name: str
    kind: str
    status: str
    seconds: float
    message: str = ""
    rows: int | None = None
    failures: int = 0
    sample: tuple[Mapping[str, Any], ...] = ()
    tested: tuple[str, ...] = ()

    @property
    def is_test(self) -> bool:
        """Whether it is a data test rather than something that is built."""
        return self.kind == "test"


@dataclass(frozen=True)
class Build:
    """The outcome of one build; ``full_refresh`` tells whether everything was built anew."""

    as_of: datetime
    full_refresh: bool
    nodes: tuple[Node, ...] = field(repr=False)
    seconds: float = 0.0

    @property
    def failed(self) -> tuple[Node, ...]:
        """The nodes that failed, in the order in which they ran."""
        return tuple(node for node in self.nodes if node.status == "failed")

    @property
    def succeeded(self) -> bool:
        """Whether nothing failed; warnings are no failure."""
        return not self.failed

    def raise_if_failed(self) -> Build:
        """Self; raises WorkFailedError that names what failed, and why, when something did."""
        if self.succeeded:
            return self
        lines = [f"{len(self.failed)} of {len(self.nodes)} dbt nodes failed; nothing was published."]
        lines += [f"  {node.name}: {_first_lines(node.message)}" for node in self.failed]
        lines += [f"    {dict(row)}" for node in self.failed for row in node.sample[:1]]
        if any(is_disk_full(node.message or "") for node in self.failed):
            raise WorkFailedError("\n".join([f"{DISK_FULL}.", *lines]), FREE_SPACE)
        raise WorkFailedError("\n".join(lines), "The full log is logs/dbt/dbt.log below TRUELIFT_HOME.")


def build(
    settings: Settings,
    as_of: datetime,
    *,
    select: Sequence[str] = (),
    full_refresh: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
) -> Build:
    """Build and test the models for ``as_of``, under the writer lock.

    ``select`` takes dbt selectors (such as ``tag:real_time``) and leaves out the nightly tests; empty means
    everything. Whatever is asked for, all models are built where some do not exist yet, and built anew where their
    code, or a setting that shapes them, is not that of the lake. Tests that fail make the build fail, not this call:
    see :meth:`Build.raise_if_failed`. Raises WorkFailedError when dbt can't run at all, UserError when ``select``
    matches nothing.
    """
    started = time.perf_counter()
    with Lake(settings).writer() as connection:
        create_tables(connection, load_contract())
        manifest = parse(settings)
        project = project_of(manifest, settings)
        session = Session(settings, as_of, project.fingerprint)
        plan = _plan(connection, project, select, full_refresh)
        with active(session):
            results = run(settings, plan.arguments, manifest, on_progress)
        log_queries(settings, [query for result in results for query in _queries(result)])
        if not results:
            raise UserError(f"No dbt model matches {' '.join(select)!r}.", "Name a model, or tag:real_time.")
        set_variables(connection, session, last_load_id(connection))
        rows = _rows(connection, [result.node for result in results if _has_rows(result)])
        outcome = Build(as_of, plan.full_refresh, tuple(_node(connection, result, rows) for result in results))
        if plan.is_due_to_code and outcome.succeeded:
            _forget_earlier_code(connection, project)
    return replace(outcome, seconds=time.perf_counter() - started)


def manifest_path(settings: Settings) -> Path:
    """The manifest of dbt as a file, for Dagster; parsed anew where the project has changed."""
    parse(settings, write_json=True)
    return target_folder(settings) / "manifest.json"


@dataclass(frozen=True)
class _Plan:
    """What dbt is asked to build: ``select`` or, when it is empty, everything."""

    select: Sequence[str]
    full_refresh: bool
    with_views: bool = False
    is_due_to_code: bool = False

    @property
    def arguments(self) -> list[str]:
        """The dbt command. Unit tests prove the code, not the data: they run with the tests of the repository."""
        exclude = [*([NIGHTLY] if self.select else []), *([] if self.with_views else VIEWS)]
        return [
            *("build", "--exclude-resource-type", "unit_test"),
            *(["--select", *self.select] if self.select else []),
            *(["--exclude", *exclude] if exclude else []),
            *(["--full-refresh"] if self.full_refresh else []),
        ]


def _plan(connection: duckdb.DuckDBPyConnection, project: Project, select: Sequence[str], full_refresh: bool) -> _Plan:
    built_by = {name for (name,) in connection.execute("select distinct project from lake.ops.build_log").fetchall()}
    if built_by - {project.fingerprint}:
        return _Plan(select=(), full_refresh=True, with_views=True, is_due_to_code=True)
    if project.relations - _relations(connection):
        return _Plan(select=(), full_refresh=full_refresh, with_views=True)
    return _Plan(select, full_refresh)


def _forget_earlier_code(connection: duckdb.DuckDBPyConnection, project: Project) -> None:
    """Drop what models that no longer exist have logged; only then the lake is known to be of this code."""
    connection.execute(
        "delete from lake.ops.build_log where project is distinct from $project", {"project": project.fingerprint}
    )


def _relations(connection: duckdb.DuckDBPyConnection) -> set[tuple[str, str]]:
    return set(
        connection.execute(
            """
            select schema_name, table_name from duckdb_tables() where database_name = 'lake'
            union all
            select schema_name, view_name from duckdb_views() where database_name = 'lake'
            """
        ).fetchall()
    )


def _node(connection: duckdb.DuckDBPyConnection, result: Any, rows: Mapping[str, int]) -> Node:
    """A result with what the lake knows of it: rows of a built table, a sample of what a failed test found."""
    node, kind = result.node, str(result.node.resource_type)
    return Node(
        unique_id=node.unique_id,
        name=node.name,
        kind=kind,
        status=_status(result),
        seconds=result.execution_time,
        message=result.message or "",
        rows=rows.get(node.unique_id),
        failures=result.failures or 0,
        sample=_sample(connection, node.compiled_code) if kind == "test" and result.failures else (),
        tested=tuple(node.depends_on.nodes) if kind == "test" else (),
    )


def _queries(result: Any) -> Iterator[Query]:
    """The node as it ran; none when it was skipped."""
    for step in result.timing:
        if step.name == "execute" and step.started_at is not None:
            yield Query("dbt", result.node.name, step.started_at.replace(tzinfo=UTC), result.execution_time)


def _status(result: Any) -> str:
    return STATUS.get(str(result.status), "failed")


def _has_rows(result: Any) -> bool:
    is_table = str(result.node.resource_type) in ("model", "seed") and result.node.config.materialized != "view"
    return is_table and _status(result) == "passed"


def _rows(connection: duckdb.DuckDBPyConnection, nodes: Sequence[Any]) -> Mapping[str, int]:
    """The rows of each built table, asked for at once: every query of its own reads the catalog anew."""
    if not nodes:
        return {}
    counts = ", ".join(f"(select count(*) from {node.relation_name})" for node in nodes)
    found = connection.execute(f"select {counts}").fetchall()
    return dict(zip((node.unique_id for node in nodes), found[0], strict=True))


def _sample(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[Mapping[str, Any], ...]:
    cursor = connection.execute(f"select * from ({query}\n) as failing limit {_SAMPLE_ROWS}")
    names = [column[0] for column in cursor.description or ()]
    return tuple(dict(zip(names, row, strict=True)) for row in cursor.fetchall())


def _first_lines(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " ".join(lines[:3])
