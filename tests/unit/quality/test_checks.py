"""Checks say what they found with the keys of failing rows, and one that can't run did not pass."""

from __future__ import annotations

import subprocess
import sys

import duckdb
import pytest

from quality.checks import CheckResult, ColumnCheck, RowsCheck, Suite, run_real_time_checks
from quality.validation import run_suites
from tests.unit.quality.conftest import AS_OF, ORDERS

FOUND = {
    "not_after_the_run": ("critical", False, 1, ("order_id=b, ordered_at=2025-06-30 12:00:01",)),
    "matches_the_ledger": ("warning", False, 2, ("order_id=c", "order_id=d")),
    "ids_are_words": ("critical", True, 0, ()),
    "amounts_are_positive": ("critical", False, 1, ("order_id=c, amount=-1.0",)),
    "is_not_empty": ("critical", True, None, ()),
}


def found(result: CheckResult) -> tuple[object, ...]:
    return (result.severity, result.passed, result.unexpected_count, result.sample)


def test_great_expectations_finds_each_fault_with_its_keys(connection: duckdb.DuckDBPyConnection) -> None:
    results = run_suites(connection, [ORDERS], AS_OF)
    assert [result.check for result in results] == [check.name for check in ORDERS.checks]
    assert {result.check: found(result) for result in results} == FOUND
    assert all(result.description for result in results)
    assert {result.check for result in results if result.blocks} == {"not_after_the_run", "amounts_are_positive"}


def test_the_real_time_path_runs_the_same_queries_and_finds_the_same(connection: duckdb.DuckDBPyConnection) -> None:
    [direct] = run_real_time_checks(connection, [ORDERS], AS_OF)
    [same] = [result for result in run_suites(connection, [ORDERS], AS_OF) if result.check == direct.check]
    assert direct == same


def test_a_small_table_is_judged_in_memory(connection: duckdb.DuckDBPyConnection) -> None:
    words = Suite(
        "marts.orders",
        ("order_id",),
        (
            ColumnCheck("letters", "d", "ExpectColumnValuesToMatchRegex", {"column": "order_id", "regex": "^[a-c]$"}),
            ColumnCheck("distinct", "d", "ExpectColumnValuesToBeUnique", {"column": "order_id"}),
        ),
        in_memory=True,
    )
    letters, distinct = run_suites(connection, [words], AS_OF)
    assert (letters.passed, letters.unexpected_count, letters.sample) == (False, 1, ("order_id=d",))
    assert distinct.passed


def test_many_failing_rows_are_counted_and_few_are_shown(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("insert into lake.marts.orders select 'x' || range, timestamp '2030-01-01', 1 from range(1000)")
    for results in (run_suites(connection, [ORDERS], AS_OF), run_real_time_checks(connection, [ORDERS], AS_OF)):
        assert (results[0].unexpected_count, len(results[0].sample), results[0].observed) == (1001, 5, "1001 rows")


def test_a_query_may_hold_braces_and_read_its_table_twice(connection: duckdb.DuckDBPyConnection) -> None:
    query = """
        with counted as (select count(*) as rows from batch)
        select {'order': order_id} as braces, rows from batch, counted where regexp_matches(order_id, '^[ab]{1}$')
    """
    suite = Suite("marts.orders", (), (RowsCheck("c", "d", query, real_time=True),))
    expected = ("braces={'order': a}, rows=4", "braces={'order': b}, rows=4")
    assert run_suites(connection, [suite], AS_OF)[0].sample == expected
    assert run_real_time_checks(connection, [suite], AS_OF)[0].sample == expected


@pytest.mark.parametrize(
    ("suite", "reason"),
    [
        (Suite("marts.gone", (), (RowsCheck("c", "d", "from batch"),)), "no table marts.gone"),
        (Suite("marts.orders", (), (RowsCheck("c", "d", "select nonsense from batch"),)), "nonsense"),
        (Suite("marts.orders", (), (ColumnCheck("c", "d", "ExpectColumnValuesToBeUnique", {"column": "no"}),)), "no"),
    ],
)
def test_a_check_that_can_not_run_has_not_passed(
    connection: duckdb.DuckDBPyConnection, suite: Suite, reason: str
) -> None:
    [result] = run_suites(connection, [suite], AS_OF)
    assert result.blocks
    assert result.observed.startswith("could not run")
    assert reason in result.observed


def test_a_real_time_check_that_can_not_run_has_not_passed(connection: duckdb.DuckDBPyConnection) -> None:
    suite = Suite("marts.gone", (), (RowsCheck("c", "d", "from batch", real_time=True),))
    [result] = run_real_time_checks(connection, [suite], AS_OF)
    assert result.blocks
    assert "could not run" in result.observed


def test_suites_that_make_no_sense_are_refused() -> None:
    check = RowsCheck("c", "d", "from batch")
    with pytest.raises(ValueError, match="twice"):
        Suite("marts.orders", (), (check, check))
    with pytest.raises(ValueError, match="in memory"):
        Suite("marts.orders", (), (check,), in_memory=True)


def test_the_real_time_path_does_not_import_great_expectations() -> None:
    program = (
        "import sys, pipelines.lake.audit, pipelines.lake.publishing\n"
        "heavy = {'great_expectations', 'pandas', 'sqlalchemy'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
