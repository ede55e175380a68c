"""What a check is, what it found, and how the checks that are plain queries are run by the engine itself.

The suites in ``quality/suites`` are made of these values. Great Expectations runs all of them
(:mod:`quality.validation`); the real-time path, which can not afford its import, runs the queries of the same checks here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import duckdb

Severity = Literal["critical", "alert", "warning"]
"""What follows when a check fails: critical, the numbers are wrong and publishing stops; alert, they are right and what they
say, or lack, is grave: they are published, and people are told; warning, it is shown."""

SAMPLE_ROWS = 5

COUNT = "rows_found"
"""The column in which every row of a check's query says how many there are."""


@dataclass(frozen=True)
class CheckResult:
    """What one check found: ``sample`` shows the keys of the first failing rows, one ``column=value, …`` text each."""

    table: str
    check: str
    severity: Severity
    passed: bool
    observed: str
    unexpected_count: int | None = None
    sample: tuple[str, ...] = ()
    description: str = ""

    @property
    def name(self) -> str:
        """The check with its table, as people write it."""
        return f"{self.table}.{self.check}"

    @property
    def blocks(self) -> bool:
        """Whether this result stops publishing."""
        return self.severity == "critical" and not self.passed


@dataclass(frozen=True)
class RowsCheck:
    """A query that finds the rows which should not be; its first columns are the keys that people need to see.

    The query calls its own table ``batch`` and other tables ``lake.schema.table``; the run's instant is
    ``getvariable('as_of')``, a UTC timestamp. ``real_time`` checks are cheap, and guard what a landing batch changes.
    """

    name: str
    description: str
    query: str
    severity: Severity = "critical"
    real_time: bool = False


@dataclass(frozen=True)
class ColumnCheck:
    """An expectation of Great Expectations, by its class name and arguments, on the suite's own table."""

    name: str
    description: str
    expectation: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    severity: Severity = "critical"


@dataclass(frozen=True)
class Suite:
    """All checks of one table. ``in_memory`` loads it as a data frame: for small tables whose checks need one.

    ``keys`` are the columns that name a failing row to a person.
    """

    table: str
    keys: tuple[str, ...]
    checks: tuple[RowsCheck | ColumnCheck, ...]
    in_memory: bool = False

    def __post_init__(self) -> None:
        names = [check.name for check in self.checks]
        repeated = {name for name in names if names.count(name) > 1}
        if repeated:
            raise ValueError(f"suite {self.table} names a check twice: {sorted(repeated)}")
        if self.in_memory and any(isinstance(check, RowsCheck) for check in self.checks):
            raise ValueError(f"suite {self.table} is in memory; a query can not run there")


def run_real_time_checks(
    connection: duckdb.DuckDBPyConnection, suites: Iterable[Suite], as_of: datetime
) -> tuple[CheckResult, ...]:
    """Run the queries of the real-time checks, without Great Expectations, on the lake attached as ``lake``."""
    cursor = prepared_cursor(connection, as_of)
    try:
        return tuple(
            _run_query(cursor, suite, check)
            for suite in suites
            for check in suite.checks
            if isinstance(check, RowsCheck) and check.real_time
        )
    finally:
        cursor.close()


def prepared_cursor(connection: duckdb.DuckDBPyConnection, as_of: datetime) -> duckdb.DuckDBPyConnection:
    """A cursor of its own that knows the run's instant and looks names up in the lake first."""
    cursor = connection.cursor()
    cursor.execute("use lake")
    cursor.execute("set TimeZone = 'UTC'")
    cursor.execute("set variable as_of = $as_of::timestamp", {"as_of": as_of.astimezone(UTC).replace(tzinfo=None)})
    return cursor


def failed_to_run(suite: Suite, check: RowsCheck | ColumnCheck, reason: str) -> CheckResult:
    """The result of a check that could not be run: it did not pass."""
    first_line = reason.strip().split("\n", 1)[0]
    return CheckResult(
        suite.table, check.name, check.severity, False, f"could not run: {first_line}", description=check.description
    )


def shown_rows(query: str, table: str) -> str:
    """A check's query on ``table``, with its rows as the engine writes them."""
    # A materialized batch would hold all columns of the table in memory.
    return f"with batch as not materialized (select * from {table}) select columns(*)::varchar from ({query})"


def with_count(query: str) -> str:
    """A query that runs ``query`` once and has, behind the columns of its rows, how many there are: ``rows_found``."""
    # A window over all rows races in DuckDB 1.5.5 (DECISIONS.md).
    return f"with found as materialized ({query}) select *, (select count(*) from found) as {COUNT} from found order by all"


def show_row(row: Mapping[str, Any]) -> str:
    """One failing row as a person reads it."""
    return ", ".join(f"{column}={value}" for column, value in row.items())


def _run_query(cursor: duckdb.DuckDBPyConnection, suite: Suite, check: RowsCheck) -> CheckResult:
    query = shown_rows(check.query, f"lake.{suite.table}")
    try:
        rows = cursor.execute(f"{with_count(query)} limit {SAMPLE_ROWS}").fetchall()
    except duckdb.Error as error:
        return failed_to_run(suite, check, str(error))
    columns = [column[0] for column in cursor.description or ()]
    count = int(rows[0][-1]) if rows else 0
    return rows_result(suite, check, count, [dict(zip(columns[:-1], row, strict=False)) for row in rows])


def counted(number: int, noun: str) -> str:
    """A number of things in words: 1 row, 2 rows."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def rows_result(suite: Suite, check: RowsCheck, count: int, rows: Iterable[Mapping[str, Any]]) -> CheckResult:
    """The result of a query check that found ``count`` rows, of which ``rows`` are the first."""
    sample = tuple(show_row(row) for row in rows)[:SAMPLE_ROWS]
    return CheckResult(
        suite.table, check.name, check.severity, count == 0, counted(count, "row"), count, sample, check.description
    )
