"""What a lake holds, as the oracles of metrics read it: for sources whose lines are no events, as shops' exports.

That the lake holds what the files say is proven elsewhere, source by source.
"""

from __future__ import annotations

from datetime import UTC

from pipelines.lake.connection import Lake
from tests.oracles.ingestion_oracle import StoredEvent
from tests.oracles.references import References

PROPERTIES = (
    "campaign_id",
    "creative_id",
    "delivery_channel",
    "view_type",
    "is_holdout",
    "order_id",
    "order_value",
    "currency",
)
"""Those that metrics are made of."""


def events_in(lake: Lake) -> list[StoredEvent]:
    """Every stored event with the properties and the context that metrics are made of."""
    with lake.reader() as connection:
        rows = connection.execute(
            f"""
            select
                events.event_id::varchar, events.timestamp, events.ingested_at, events.source_file, events.source_line,
                load_log.conversions = 'credited', event_type, user_id, user_segment,
                {", ".join(PROPERTIES)}
            from (select * replace (
                campaign_id::varchar as campaign_id, creative_id::varchar as creative_id,
                order_id::varchar as order_id, order_value::double as order_value
            ) from lake.raw.events) as events
            inner join lake.ops.load_log using (load_id)
            """
        ).fetchall()
    found = []
    for event_id, at, ingested_at, file, line, credited, event_type, user, segment, *properties in rows:
        event = {
            "event_type": event_type,
            "user_id": user,
            "properties": dict(zip(PROPERTIES, properties, strict=True)),
            "context": {"user_segment": segment},
        }
        instants = at.replace(tzinfo=UTC), ingested_at.replace(tzinfo=UTC)
        found.append(StoredEvent(event_id, event, *instants, file, line, credited))
    return found


def references_in(lake: Lake, base_currency: str) -> References:
    """Campaigns and customers as they stand."""
    references = References(base_currency)
    with lake.reader() as connection:
        for name in ("campaigns", "customers"):
            cursor = connection.execute(f"select * from lake.raw.{name} where valid_to is null")
            columns = [column[0] for column in cursor.description]
            for row in cursor.fetchall():
                texts = {key: None if value is None else str(value) for key, value in zip(columns, row, strict=True)}
                references.upsert(name, [texts])
    return references
