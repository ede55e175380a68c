"""Reference files loaded into a lake, and the rows that come out."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from pipelines.ingestion.references import ReferenceCounts, load_reference_file

A = "11111111-1111-4111-8111-111111111111"
B = "22222222-2222-4222-8222-222222222222"
T0 = datetime(2025, 6, 1, 12, tzinfo=UTC)
PII_KEY = b"key"


def load(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    content: str | bytes,
    load_id: int = 1,
    at: datetime = T0,
) -> ReferenceCounts:
    """Load ``content`` as the reference that the stem of ``path`` names."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return load_reference_file(connection, path.stem, path, load_id=load_id, ingested_at=at, pii_key=PII_KEY)


def rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    return connection.execute(sql).fetchall()
