"""Runs the suites with Great Expectations, on the tables of a lake that a DuckDB connection has attached.

Importing this module costs seconds and 300 MB: import it where it is needed, inside the function.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, ClassVar

import duckdb
import great_expectations as gx
import great_expectations.expectations as gxe
from duckdb_sqlalchemy import ConnectionWrapper
from great_expectations.data_context.types.base import ProgressBarsConfig
from sqlalchemy.pool import NullPool

from quality.checks import (
    COUNT,
    SAMPLE_ROWS,
    CheckResult,
    ColumnCheck,
    RowsCheck,
    Suite,
    counted,
    failed_to_run,
    prepared_cursor,
    rows_result,
    show_row,
    shown_rows,
    with_count,
)

_UnexpectedRows: Any = gxe.__dict__["UnexpectedRowsExpectation"]


class CountedRows(_UnexpectedRows):  # type: ignore[misc]
    """Rows that should not be, by a query that is run once: its own column tells how many it found.

    The class beneath counts the rows by running the query a second time.
    """

    metric_dependencies: ClassVar[tuple[str, ...]] = ("unexpected_rows_query.table",)

    def _validate(self, metrics: dict[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
        rows = metrics["unexpected_rows_query.table"]
        count = int(rows[0][COUNT]) if rows else 0
        return {"success": count == 0, "result": {"observed_value": count, "details": {"unexpected_rows": rows}}}


def run_suites(
    connection: duckdb.DuckDBPyConnection, suites: Iterable[Suite], as_of: datetime
) -> tuple[CheckResult, ...]:
    """Run every check of the suites with Great Expectations; a table that does not exist fails all of its checks.

    ``connection`` has the lake attached as ``lake``; it is only read.
    """
    cursor = prepared_cursor(connection, as_of)
    existing = _existing_tables(cursor)
    context = _context(connection, as_of)
    results: list[CheckResult] = []
    for suite in suites:
        if suite.table in existing:
            batch = _batch(context, suite, cursor)
            found = {name: result for check in (RowsCheck, ColumnCheck) for name, result in _run(batch, suite, check)}
            results.extend(found[check.name] for check in suite.checks)
        else:
            results.extend(failed_to_run(suite, check, f"there is no table {suite.table}") for check in suite.checks)
    cursor.close()
    return tuple(results)


class _KeepsUnreadRows(ConnectionWrapper):
    """Great Expectations reads a result after it has given the connection back, which rolls back.

    The wrapper drops unread rows on rollback and keeps them on commit; where nothing is written both are one.
    """

    def rollback(self) -> None:
        self.commit()


def _existing_tables(cursor: duckdb.DuckDBPyConnection) -> set[str]:
    rows = cursor.execute(
        "select schema_name || '.' || table_name from duckdb_tables() where database_name = 'lake' "
        "union all select schema_name || '.' || view_name from duckdb_views() where database_name = 'lake'"
    ).fetchall()
    return {name for (name,) in rows}


def _context(connection: duckdb.DuckDBPyConnection, as_of: datetime) -> Any:
    """An ephemeral context with two data sources: the lake's engine, and data frames."""
    logging.getLogger(ProgressBarsConfig.__module__).setLevel(logging.WARNING)  # it sets itself to tell everything
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    sources: Any = context.data_sources
    sources.add_sql(
        "engine",
        connection_string="duckdb:///:memory:",
        create_temp_table=False,
        kwargs={"creator": lambda: _KeepsUnreadRows(prepared_cursor(connection, as_of)), "poolclass": NullPool},
    )
    sources.add_pandas("memory")
    return context


def _batch(context: Any, suite: Suite, cursor: duckdb.DuckDBPyConnection) -> Any:
    if suite.in_memory:
        asset = context.data_sources.get("memory").add_dataframe_asset(suite.table)
        frame = cursor.table(f"lake.{suite.table}").df()
        return asset.add_batch_definition_whole_dataframe("whole").get_batch({"dataframe": frame})
    schema, name = suite.table.split(".")
    asset = context.data_sources.get("engine").add_table_asset(suite.table, table_name=name, schema_name=schema)
    return asset.add_batch_definition_whole_table("whole").get_batch()


def _run(batch: Any, suite: Suite, kind: type[RowsCheck | ColumnCheck]) -> Iterator[tuple[str, CheckResult]]:
    """Run the checks of one kind: only a complete result shows the rows of a query, and it would hold every
    failing value of a column in memory.
    """
    checks = {check.name: check for check in suite.checks if isinstance(check, kind)}
    if not checks:
        return
    outcome = batch.validate(
        gx.ExpectationSuite(name=suite.table, expectations=[_expectation(check) for check in checks.values()]),
        result_format={
            "result_format": "COMPLETE" if kind is RowsCheck else "SUMMARY",
            "partial_unexpected_count": SAMPLE_ROWS,
            "unexpected_index_column_names": list(suite.keys),
        },
    )
    for result in outcome.results:
        check = checks[result.expectation_config.meta["check"]]
        yield check.name, _translated(suite, check, result.to_json_dict())


def _expectation(check: RowsCheck | ColumnCheck) -> Any:
    severity = "warning" if check.severity == "warning" else "critical"
    common = {"severity": severity, "description": check.description, "meta": {"check": check.name}}
    if isinstance(check, RowsCheck):
        query = shown_rows(check.query.replace("{", "{{").replace("}", "}}"), "{batch}")
        return CountedRows(unexpected_rows_query=with_count(query), **common)
    return gxe.__dict__[check.expectation](**check.arguments, **common)


def _translated(suite: Suite, check: RowsCheck | ColumnCheck, outcome: Mapping[str, Any]) -> CheckResult:
    found = outcome["result"]
    if not found:
        return failed_to_run(suite, check, _exception_message(outcome["exception_info"]))
    if isinstance(check, RowsCheck):
        rows = (
            {name: value for name, value in row.items() if name != COUNT} for row in found["details"]["unexpected_rows"]
        )
        return rows_result(suite, check, int(found["observed_value"]), rows)
    return CheckResult(
        suite.table,
        check.name,
        check.severity,
        bool(outcome["success"]),
        _observed(found, bool(outcome["success"])),
        found.get("unexpected_count"),
        tuple(show_row(row) for row in found.get("partial_unexpected_index_list") or ())[:SAMPLE_ROWS],
        check.description,
    )


def _observed(found: Mapping[str, Any], passed: bool) -> str:
    if "element_count" in found:
        return f"{found.get('unexpected_count', 0)} of {counted(found['element_count'], 'value')}"
    value = found.get("observed_value")
    return str(value) if value is not None else ("as expected" if passed else "not as expected")


def _exception_message(info: Mapping[str, Any]) -> str:
    """Great Expectations reports one exception, or one per metric that it could not compute."""
    if "exception_message" in info:
        return str(info["exception_message"])
    return "; ".join(sorted({str(each["exception_message"]) for each in info.values()}))
