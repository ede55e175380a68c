"""Fixtures of the ingestion tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from pipelines.lake.connection import Lake, connect
from pipelines.lake.tables import create_tables
from pipelines.settings import Settings, load_settings
from quality.contracts import load_contract
from tests.unit.ingestion.workshop import ITEMS, ORDERS, Workshop


@pytest.fixture
def workshop(settings: Settings, tmp_path: Path) -> Iterator[Workshop]:
    """A home, and the files of a small shop."""
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "orders.csv").write_text(ORDERS)
    (folder / "items.csv").write_text(ITEMS)
    with connect(settings) as connection:
        yield Workshop(settings, folder, connection)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    settings = load_settings({"TRUELIFT_HOME": str(tmp_path_factory.mktemp("home"))}).prepare()
    with Lake(settings).writer() as connection:
        create_tables(connection, load_contract())
        yield connection


@pytest.fixture
def connection(shared: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """A writing connection in a transaction that is rolled back, so that every test finds an empty lake."""
    shared.execute("begin transaction")
    yield shared
    shared.execute("rollback")
