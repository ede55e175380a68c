"""Published views as the probes meet them: sound, slow, and broken ones."""

from __future__ import annotations

from pipelines.lake.connection import Lake

SOUND = "select 1 as one"
SLOW = "select sum(a.range * b.range) as answer from range(10000000) a, range(100000) b"
BROKEN = "select error('the mart is gone') as answer"


def publish(lake: Lake, **views: str) -> None:
    """Give readers these views, name to query."""
    with lake.writer() as connection:
        for name, query in views.items():
            connection.execute(f"create or replace view lake.published.{name} as {query}")
