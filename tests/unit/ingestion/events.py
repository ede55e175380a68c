"""Event lines told in a word, and what must hold of a lake after any of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipelines.lake.connection import Lake
from tests.oracles.world import id_of

AT = datetime(2025, 6, 10, 12, tzinfo=UTC)
"""When the tests ingest."""


def event(name: object, *, at: str = "2025-06-10T10:00:00Z", user: str = "ann", **properties: Any) -> dict[str, Any]:
    """A sound order; the same name gives the same id."""
    return {
        "event_id": id_of(name),
        "event_type": "user_purchased",
        "timestamp": at,
        "user_id": user,
        "source": "backend",
        "properties": {"order_id": id_of("order", name), "order_value": 12.5, **properties},
    }


def text(*events: dict[str, Any]) -> str:
    """A file of events, one a line."""
    return "".join(f"{json.dumps(each)}\n" for each in events)


def write(path: Path, content: str | bytes) -> Path:
    """The path, with that content in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def query(lake: Lake, sql: str, **parameters: object) -> list[tuple[Any, ...]]:
    """What the lake answers."""
    with lake.reader() as connection:
        return connection.execute(sql, parameters).fetchall()


def assert_reconciled(lake: Lake) -> None:
    """The load log explains every line; events, ids and quarantine agree with it."""
    with lake.reader() as connection:
        unexplained = connection.execute(
            """
            select source_file from lake.ops.load_log
            where status = 'loaded' and lines <> accepted + duplicates + rejected + filtered
            """
        ).fetchall()
        stored = connection.execute(
            """
            select (select count(*) from lake.raw.events), (select count(distinct event_id) from lake.raw.events),
                coalesce(sum(accepted - replaced), 0)
            from lake.ops.load_log where status = 'loaded' and target = 'events'
            """
        ).fetchall()
        miscounted = connection.execute(
            """
            select source_file, kept, duplicates + rejected from lake.ops.load_log
            left join (select load_id, count(*) as kept from lake.raw.quarantine group by load_id) using (load_id)
            where status = 'loaded' and source = 'landing' and target = 'events'
                and coalesce(kept, 0) <> duplicates + rejected
            """
        ).fetchall()
    assert unexplained == miscounted == []
    [(rows, ids, expected)] = stored
    assert rows == ids == expected
