"""A table with known faults, in a database attached under the lake's name."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import duckdb
import pytest

from quality.checks import ColumnCheck, RowsCheck, Suite

AS_OF = datetime(2025, 6, 30, 12, tzinfo=UTC)

ORDERS = Suite(
    table="marts.orders",
    keys=("order_id",),
    checks=(
        RowsCheck(
            "not_after_the_run",
            "An order can't have happened after the run.",
            "select order_id, ordered_at from batch where ordered_at > getvariable('as_of')",
            real_time=True,
        ),
        RowsCheck(
            "matches_the_ledger",
            "Every order stands in the ledger.",
            "select order_id from batch anti join lake.raw.ledger using (order_id)",
            severity="warning",
        ),
        RowsCheck(
            "ids_are_words",
            "Ids are letters.",
            "select order_id from batch where not regexp_matches(order_id, '^[a-z]+$')",
        ),
        ColumnCheck(
            "amounts_are_positive",
            "No order is for less than nothing.",
            "ExpectColumnValuesToBeBetween",
            {"column": "amount", "min_value": 0},
        ),
        ColumnCheck("is_not_empty", "There are orders.", "ExpectTableRowCountToBeBetween", {"min_value": 1}),
    ),
)


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'America/New_York'")
    connection.execute("attach ':memory:' as lake")
    connection.execute("create schema lake.marts")
    connection.execute("create schema lake.raw")
    connection.execute(
        """create table lake.marts.orders as
            select * from (values
                ('a', timestamp '2025-06-30 11:59:59', 10.5::decimal(18, 4)),
                ('b', timestamp '2025-06-30 12:00:01', 0),
                ('c', timestamp '2025-06-29 00:00:00', -1),
                ('d', timestamp '2025-06-29 00:00:00', null)
            ) as t (order_id, ordered_at, amount)"""
    )
    connection.execute("create table lake.raw.ledger as select unnest(['a', 'b']) as order_id")
    yield connection
    connection.close()
