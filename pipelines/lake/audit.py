"""The audit between building and publishing: runs the quality suites on one version of the lake and keeps what they found."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import duckdb

from pipelines.lake.connection import Lake, lake_time, transaction
from pipelines.operations.queries import logged_step
from quality.checks import CheckResult, Suite, run_real_time_checks
from quality.data_docs import write_data_docs
from quality.suites import SUITES

Scope = Literal["full", "real_time"]
"""``full``: every suite, by Great Expectations. ``real_time``: the queries marked so, by the engine itself."""


@dataclass(frozen=True)
class Audit:
    """What was found on one version of the lake.

    ``standing`` are critical failures of earlier audits on checks that this one did not repeat: a table that failed
    last night is still wrong when a landing batch arrives this morning.
    """

    audit_id: int
    run_id: str
    scope: Scope
    version: int
    as_of: datetime
    results: tuple[CheckResult, ...]
    standing: tuple[CheckResult, ...]

    @property
    def failures(self) -> tuple[CheckResult, ...]:
        """The results that stop publishing."""
        return tuple(result for result in self.results if result.blocks) + self.standing

    @property
    def alerts(self) -> tuple[CheckResult, ...]:
        """The results that stop nothing, and that people must be told of."""
        return tuple(result for result in self.results if result.severity == "alert" and not result.passed)

    @property
    def warnings(self) -> tuple[CheckResult, ...]:
        """The results that people should see, and that stop nothing."""
        return tuple(result for result in self.results if not result.passed and not result.blocks)


@logged_step("audit")
def audit(
    lake: Lake,
    *,
    as_of: datetime,
    run_id: str,
    version: int,
    scope: Scope = "full",
    build_results: Sequence[CheckResult] = (),
    suites: Sequence[Suite] = SUITES,
) -> Audit:
    """Run the suites on a version of the lake, keep the results in ``ops.quality_results``, renew the data docs.

    ``version`` is the snapshot right after the build (:func:`pipelines.lake.publishing.current_version`), so that a
    writer who starts meanwhile can't change what is judged. ``build_results`` are the outcomes of the build's own tests
    (dbt); they are kept and count alike. A failed check raises nothing here: :func:`pipelines.lake.publishing.publish`
    refuses, and an orchestrator can show every result before.
    """
    with lake.reader(version) as connection:
        found = {"build": tuple(build_results), "suite": _judge(connection, suites, scope, as_of)}
    results = found["build"] + found["suite"]
    with lake.writer() as connection:
        audit_id = _record(connection, found, run_id=run_id, scope=scope, version=version, as_of=as_of)
        latest = _latest_results(connection)
    write_data_docs(lake.settings.data_docs, latest, as_of)
    names = {result.name for result in results}
    standing = tuple(result for result in latest if result.blocks and result.name not in names)
    return Audit(audit_id, run_id, scope, version, as_of, results, standing)


def failing_checks(connection: duckdb.DuckDBPyConnection) -> tuple[CheckResult, ...]:
    """The critical checks that fail at present, as the latest audits left them."""
    return tuple(result for result in _latest_results(connection) if result.blocks)


def forget_superseded_results(connection: duckdb.DuckDBPyConnection, older_than: datetime) -> int:
    """Delete old results that the present ones no longer rest on; returns how many.

    Of every check the latest stays, and so does all that the last full audit found.
    """
    deleted = connection.execute(
        """
        delete from lake.ops.quality_results
        where as_of < $older_than::timestamp
            and audit_id < (select coalesce(max(audit_id), 0) from lake.ops.quality_results where scope = 'full')
            and (origin, table_name, check_name, audit_id) not in (
                select origin, table_name, check_name, max(audit_id)
                from lake.ops.quality_results
                group by origin, table_name, check_name
            )
        """,
        {"older_than": lake_time(older_than)},
    ).fetchone()
    return int(deleted[0]) if deleted else 0


def _judge(
    connection: duckdb.DuckDBPyConnection, suites: Sequence[Suite], scope: Scope, as_of: datetime
) -> tuple[CheckResult, ...]:
    if scope == "real_time":
        return run_real_time_checks(connection, suites, as_of)
    from quality.validation import run_suites  # noqa: PLC0415 - seconds and 300 MB, which the real-time path can't pay

    return run_suites(connection, suites, as_of)


def _latest_results(connection: duckdb.DuckDBPyConnection) -> tuple[CheckResult, ...]:
    """The latest result of every check; one that a later full audit of its table did without is no more."""
    rows = connection.execute(
        """
        with latest as (
            from lake.ops.quality_results
            qualify row_number() over (partition by table_name, check_name order by audit_id desc) = 1
                and audit_id >= coalesce(max(audit_id) filter (scope = 'full') over (partition by origin, table_name), 0)
        )
        select table_name, check_name, severity, passed, observed, unexpected_count, sample, description
        from latest order by table_name, check_name
        """
    ).fetchall()
    return tuple(
        CheckResult(table, check, severity, passed, observed, count, tuple(json.loads(sample)), description)
        for table, check, severity, passed, observed, count, sample, description in rows
    )


def _record(
    connection: duckdb.DuckDBPyConnection,
    found: Mapping[str, Sequence[CheckResult]],
    *,
    run_id: str,
    scope: Scope,
    version: int,
    as_of: datetime,
) -> int:
    """Store what was found, by origin, under the next audit number."""
    results = [result for each in found.values() for result in each]
    columns = {
        "origin": [origin for origin, each in found.items() for _ in each],
        "table_name": [result.table for result in results],
        "check_name": [result.check for result in results],
        "severity": [str(result.severity) for result in results],
        "passed": [result.passed for result in results],
        "observed": [result.observed for result in results],
        "unexpected_count": [result.unexpected_count for result in results],
        "sample": [json.dumps(result.sample) for result in results],
        "description": [result.description for result in results],
    }
    with transaction(connection):
        row = connection.execute("select coalesce(max(audit_id), 0) + 1 from lake.ops.quality_results").fetchone()
        assert row is not None
        audit_id = int(row[0])
        unnested = ", ".join(f"unnest(${column}) as {column}" for column in columns)
        connection.execute(
            f"""insert into lake.ops.quality_results by name
                select $audit_id as audit_id, $run_id as run_id, $scope as scope, $version as version,
                    $as_of::timestamp as as_of, {unnested}""",
            {
                **columns,
                "audit_id": audit_id,
                "run_id": run_id,
                "scope": scope,
                "version": version,
                "as_of": lake_time(as_of),
            },
        )
    return audit_id
