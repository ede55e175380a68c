"""Reads the event schemas of this folder into typed values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent

REASONS: Mapping[str, str] = {
    "malformed_json": "The line is not a JSON object.",
    "missing_id": "event_id or user_id is missing, null or empty.",
    "invalid_uuid": "event_id, campaign_id, creative_id or order_id is not a UUID.",
    "unknown_event_type": "The event type is not in the taxonomy.",
    "invalid_source": "The source is not mobile, admin_portal or backend.",
    "invalid_timestamp": "The timestamp is missing, not ISO-8601 or without a zone.",
    "timestamp_in_future": "The timestamp lies more than 5 minutes after ingestion.",
    "timestamp_too_old": "The timestamp lies more than 30 days before ingestion and the load is no backfill.",
    "negative_amount": "An amount of money is below 0, NaN or infinite.",
    "score_out_of_range": "A score lies outside 0..1.",
    "schema_violation": "A required property is missing, or a property is not of its declared type.",
    "duplicate_event_id": "The event_id is stored already, or a later line of the same load carries it.",
    "line_too_long": "The line is longer than 1 MiB.",
}
"""Why a line is rejected (specification 01-events.md), in the order in which reasons are listed."""

UUID_PROPERTIES = frozenset({"campaign_id", "creative_id", "order_id"})
"""Properties whose malformed value is an ``invalid_uuid``; other UUID properties are a ``schema_violation``."""

_COLUMN_TYPES = {"boolean": "boolean", "integer": "bigint", "number": "double", "string": "varchar"}
_FORMAT_TYPES = {"uuid": "uuid", "date-time": "timestamp"}


@dataclass(frozen=True)
class Property:
    """One declared property of an event type."""

    name: str
    description: str
    json_types: tuple[str, ...]
    required: bool
    format: str | None = None
    enum: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    pattern: str | None = None
    unit: str | None = None

    @property
    def is_amount(self) -> bool:
        """Whether it is money: stored as DECIMAL(18,4), below 0 rejected as ``negative_amount``."""
        return self.unit == "money"

    @property
    def is_score(self) -> bool:
        """Whether it is a score: outside 0..1 rejected as ``score_out_of_range``."""
        return self.name.endswith("_score")

    @property
    def is_number(self) -> bool:
        """Whether it is a number and nothing else."""
        return self.column_type in ("bigint", "double", "decimal(18,4)")

    @property
    def is_free_text(self) -> bool:
        """Whether any text may stand in it: no enumeration, format or pattern narrows it."""
        return self.column_type == "varchar" and not (self.enum or self.format or self.pattern)

    @property
    def column_type(self) -> str:
        """SQL type of its column; JSON text where the property is an object, a list or of several types."""
        kinds = [kind for kind in self.json_types if kind != "null"]
        if len(kinds) != 1 or kinds[0] in ("object", "array"):
            return "varchar"
        if self.is_amount:
            return "decimal(18,4)"
        return _FORMAT_TYPES.get(self.format or "", _COLUMN_TYPES[kinds[0]])


@dataclass(frozen=True)
class EventType:
    """One event type of the taxonomy; ``schema`` is its JSON Schema as written."""

    name: str
    description: str
    owner: str
    expected_volume: str
    properties: tuple[Property, ...]
    schema: Mapping[str, Any]


@dataclass(frozen=True)
class Contract:
    """All event types, and the columns of ``raw.events`` that follow from them."""

    envelope: Mapping[str, Any]
    event_types: tuple[EventType, ...]

    def __getitem__(self, name: str) -> EventType:
        """The event type of that name; KeyError when the taxonomy has none."""
        return self._by_name[name]

    @property
    def sources(self) -> tuple[str, ...]:
        """Accepted values of the envelope's ``source``."""
        return tuple(self.envelope["properties"]["source"]["enum"])

    @property
    def context_fields(self) -> tuple[str, ...]:
        """Fields of the envelope's ``context``, each a column of ``raw.events``."""
        return tuple(self.envelope["properties"]["context"]["properties"])

    @cached_property
    def property_columns(self) -> Mapping[str, str]:
        """Column name to SQL type for every property of any type; names of the envelope are not repeated.

        Raises ValueError when two event types declare one property with different types.
        """
        columns: dict[str, str] = {}
        for event_type in self.event_types:
            for prop in event_type.properties:
                if prop.name in self.envelope["properties"]:
                    continue
                known = columns.setdefault(prop.name, prop.column_type)
                if known != prop.column_type:
                    raise ValueError(
                        f"Property {prop.name} of {event_type.name} is {prop.column_type}, elsewhere {known}; "
                        "a property has one type in all event types."
                    )
        return columns

    @cached_property
    def event_columns(self) -> Mapping[str, str]:
        """All columns of ``raw.events`` in order, name to SQL type."""
        return {
            "event_id": "uuid",
            "event_type": "varchar",
            "timestamp": "timestamp",
            "event_date": "date",
            "user_id": "varchar",
            "session_id": "varchar",
            "source": "varchar",
            **dict.fromkeys(self.context_fields, "varchar"),
            **self.property_columns,
            "unknown_properties": "varchar",
            "ingested_at": "timestamp",
            "load_id": "bigint",
            "source_file": "varchar",
            "source_line": "bigint",
            "late_arrival": "boolean",
            "ingestion_lag_seconds": "double",
        }

    @cached_property
    def _by_name(self) -> Mapping[str, EventType]:
        return {event_type.name: event_type for event_type in self.event_types}


@lru_cache(maxsize=8)
def load_contract(folder: Path = FOLDER) -> Contract:
    """Read the envelope beside ``folder`` and every ``*.json`` in it, in the order of their names."""
    envelope = json.loads((folder.parent / "envelope.json").read_text())
    return Contract(envelope, tuple(_event_type(path) for path in sorted(folder.glob("*.json"))))


def _event_type(path: Path) -> EventType:
    schema = json.loads(path.read_text())
    body = schema["properties"]["properties"]
    required = set(body.get("required", ()))
    return EventType(
        name=schema["title"],
        description=schema["description"],
        owner=schema["x-owner"],
        expected_volume=schema["x-expected-volume"],
        properties=tuple(_property(name, spec, name in required) for name, spec in body["properties"].items()),
        schema=schema,
    )


def _property(name: str, spec: Mapping[str, Any], required: bool) -> Property:
    types = spec["type"]
    return Property(
        name=name,
        description=spec["description"],
        json_types=(types,) if isinstance(types, str) else tuple(types),
        required=required,
        format=spec.get("format"),
        enum=tuple(value for value in spec.get("enum", ()) if value is not None),
        minimum=spec.get("minimum"),
        maximum=spec.get("maximum"),
        pattern=spec.get("pattern"),
        unit=spec.get("x-unit"),
    )
