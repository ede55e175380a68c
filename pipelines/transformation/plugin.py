"""The dbt-duckdb plugin that makes dbt open the lake exactly as the rest of the platform does."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from dbt.adapters.duckdb.plugins import BasePlugin
from duckdb import DuckDBPyConnection

from pipelines.lake.connection import Lake, attach, configure
from pipelines.lake.tables import create_tables
from pipelines.settings import load_settings, now
from pipelines.transformation.session import Session, active_session, last_load_id, set_variables
from quality.contracts import load_contract


class Plugin(BasePlugin):
    """Attaches the lake as ``lake`` and gives every cursor the inputs of the run.

    Inside :func:`pipelines.transformation.session.active` the caller holds the writer lock. Started by hand
    (``dbt build``), dbt works on the lake of the environment, for the present instant, and holds the lock itself until
    its process ends.
    """

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        """Decide for which run the connection is; ``plugin_config`` stays empty, so that the profile never changes."""
        self._lock = ExitStack()
        self._given = active_session()
        self._session = self._given or Session(load_settings().prepare(), now())
        self._load_id = -1

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        """Load the extensions, set the limits, attach the lake."""
        if self._given is None:
            self._lock.enter_context(Lake(self._session.settings).writing())
        configure(conn, self._session.settings)
        attach(conn, self._session.settings)
        if self._given is None:
            create_tables(conn, load_contract())
        self._load_id = last_load_id(conn)

    def configure_cursor(self, cursor: DuckDBPyConnection) -> None:
        """Set the inputs of the run on a cursor."""
        set_variables(cursor, self._session, self._load_id)
