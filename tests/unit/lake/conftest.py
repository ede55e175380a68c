"""A small lake with marts that can be rebuilt at will, and audits of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from pipelines.lake.audit import Audit
from pipelines.lake.connection import Lake
from pipelines.lake.publishing import current_version
from pipelines.lake.tables import create_tables
from quality.checks import CheckResult
from quality.contracts import load_contract

AT = datetime(2025, 6, 30, 12, tzinfo=UTC)

Build = Callable[..., int]
"""Runs statements on the lake in one writing session and returns the version that they leave."""


@pytest.fixture
def build(lake: Lake) -> Build:
    def run(*statements: str) -> int:
        with lake.writer() as connection:
            for statement in statements:
                connection.execute(statement)
            return current_version(connection)

    with lake.writer() as connection:
        create_tables(connection, load_contract())
    return run


@pytest.fixture
def marts(build: Build) -> Callable[[int], int]:
    """Rebuilds three marts and a view over two of them, all of whose numbers are ``round``."""

    def run(number: int) -> int:
        tables = [
            f"create or replace table lake.marts.{name} as select {number} as round, range as i from range(1000)"
            for name in ("alpha", "beta", "gamma")
        ]
        view = """create or replace view lake.marts.both as
            with a as (select round, i from lake.marts.alpha) select a.round as a, b.round as b from a
            inner join "lake"."marts"."beta" as b using (i)"""
        return build(*tables, view)

    return run


def passed(version: int, *, as_of: datetime = AT) -> Audit:
    """An audit in which everything was right."""
    result = CheckResult("marts.alpha", "is_right", "critical", True, "0 rows")
    return Audit(1, "run", "full", version, as_of, (result,), ())


def failed(version: int) -> Audit:
    """An audit that found wrong rows."""
    result = CheckResult("marts.alpha", "is_right", "critical", False, "2 rows", 2, ("i=7", "i=9"), "a reason")
    return Audit(1, "run", "full", version, AT, (result,), ())
