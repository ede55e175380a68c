"""Queries such as analysts ask of any published view, made from the names of its columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import duckdb

_LIMIT = 1000
_GROUPS = (
    "window_label",
    "metric_id",
    "campaign_id",
    "event_date",
    "date",
    "table_name",
    "region",
    "category",
)
"""Columns by which people group, the usual first; a view has some of them. A customer is looked up, not grouped by."""


@dataclass(frozen=True)
class Query:
    """One typical query; every parameter is compared with a column."""

    view: str
    kind: str
    sql: str
    parameters: tuple[Any, ...] = ()

    @property
    def name(self) -> str:
        """What it asks of which view."""
        return f"{self.view}: {self.kind}"

    def rows(self, connection: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
        """Ask it and fetch everything."""
        return connection.execute(self.sql, self.parameters).fetchall()


def typical_queries(connection: duckdb.DuckDBPyConnection) -> list[Query]:
    """For each view of the current schema: its first rows, its largest group, and its rows counted by group."""
    columns = connection.execute(
        """
        select table_name, list(column_name order by column_index)
        from duckdb_columns()
        where database_name = current_database() and schema_name = current_schema()
        group by table_name order by table_name
        """
    ).fetchall()
    return [query for view, names in columns for query in _of_view(connection, view, names)]


def metric_pages(connection: duckdb.DuckDBPyConnection) -> list[Query]:
    """For each metric what its page shows: every window of every group, and the days of everyone."""
    page = """
        select dictionary.name, dictionary.unit, dictionary.target_min, dictionary.target_max, metric_values.*
        from metric_values inner join metric_dictionary as dictionary using (metric_id)
        where metric_id = ? and (period_kind <> 'daily' or breakdown = 'overall')
        order by breakdown, breakdown_key, period_kind, window_label, period_end
    """
    rows = connection.execute("select metric_id from metric_dictionary order by metric_number").fetchall()
    return [Query("metric_values", f"page of {metric}", page, (metric,)) for (metric,) in rows]


def _of_view(connection: duckdb.DuckDBPyConnection, view: str, columns: list[str]) -> list[Query]:
    group = next((name for name in _GROUPS if name in columns), None)
    key = "user_id" if "user_id" in columns else group
    queries = [Query(view, "first rows", f'select * from "{view}" limit {_LIMIT}')]
    if key:
        for value, _ in _by_count(view, key).rows(connection)[:1]:
            if value is not None:
                one = f'select * from "{view}" where "{key}" = ? limit {_LIMIT}'
                queries.append(Query(view, f"one {key}", one, (value,)))
    if group:
        queries.append(_by_count(view, group))
    return queries


def _by_count(view: str, column: str) -> Query:
    return Query(
        view,
        f"count by {column}",
        f'select "{column}", count(*) from "{view}" group by all order by 2 desc, 1 limit {_LIMIT}',
    )
