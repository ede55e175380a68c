"""The session that dbt works in: which lake and for which instant, handed to its connection as DuckDB variables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb

from pipelines.settings import Settings

_active: list[Session] = []


@dataclass(frozen=True)
class Session:
    """What dbt's connection needs to know about the run that it belongs to.

    ``project`` is the fingerprint of the SQL that builds (:mod:`pipelines.transformation.project`); empty when dbt was
    started by hand.
    """

    settings: Settings
    as_of: datetime
    project: str = ""


@contextmanager
def active(session: Session) -> Iterator[None]:
    """Let dbt invocations inside the block work in this session; the caller holds the writer lock.

    A value of the process rather than an argument, because every argument that dbt offers (``--vars``, the
    environment of the profile) would make it parse the whole project again whenever the instant changes.
    """
    _active.append(session)
    try:
        yield
    finally:
        _active.pop()


def active_session() -> Session | None:
    """The session of the innermost :func:`active` block; None when dbt was started by hand."""
    return _active[-1] if _active else None


def last_load_id(connection: duckdb.DuckDBPyConnection) -> int:
    """The last committed load; -1 when there is none. What comes later belongs to the next run."""
    row = connection.execute("select max(load_id) from lake.ops.load_log where status = 'loaded'").fetchone()
    return -1 if row is None or row[0] is None else int(row[0])


def set_variables(connection: duckdb.DuckDBPyConnection, session: Session, load_id: int) -> None:
    """Set what the models read through the macro ``run_input``; a cursor does not inherit any of it."""
    connection.execute("set TimeZone = 'UTC'")
    inputs = {
        "as_of": (session.as_of.astimezone(UTC).replace(tzinfo=None), "timestamp"),
        "last_load_id": (load_id, "bigint"),
        "base_currency": (session.settings.base_currency, "varchar"),
        "lookback_seconds": (session.settings.attribution_lookback_days * 86_400, "bigint"),
        "compute_price_per_hour": (session.settings.compute_price_per_hour, "decimal(18, 6)"),
        "project": (session.project, "varchar"),
    }
    for name, (value, kind) in inputs.items():
        connection.execute(f"set variable {name} = $value::{kind}", {"value": value})
