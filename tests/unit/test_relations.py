"""Views are replaced in place, whatever stands there."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pipelines.lake.connection import Lake
from pipelines.lake.tables import create_tables
from pipelines.settings import Settings
from pipelines.transformation.invocation import parse, run
from pipelines.transformation.session import Session, active
from quality.contracts import load_contract

VIEW = "lake.staging.stg_creatives"


@pytest.mark.parametrize(
    "before", ["", f"create table {VIEW} as select 1 as one", f"create view {VIEW} as select 1 as one"]
)
def test_a_view_takes_the_place_of_what_was_there(settings: Settings, lake: Lake, before: str) -> None:
    with lake.writer() as connection:
        create_tables(connection, load_contract())
        connection.execute("create schema if not exists lake.staging")
        connection.execute(before)
        with active(Session(settings, datetime(2025, 6, 1, tzinfo=UTC))):
            (result,) = run(settings, ["run", "--select", "stg_creatives"], parse(settings))
        assert result.status == "success", result.message
        views = connection.execute(
            "select view_name from duckdb_views() where database_name = 'lake' and schema_name = 'staging'"
        ).fetchall()
        tables = connection.execute(
            "select table_name from duckdb_tables() where database_name = 'lake' and schema_name = 'staging'"
        ).fetchall()
        assert (views, tables) == ([("stg_creatives",)], [])
        assert "creative_id" in [name for name, *_ in connection.execute(f"describe {VIEW}").fetchall()]
