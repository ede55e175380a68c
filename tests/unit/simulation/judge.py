"""The rules of ingestion in plain Python, written from the specification: the tests' own reader of event lines."""

from __future__ import annotations

import json
import math
import re
from datetime import datetime, timedelta
from typing import Any

from quality.contracts import Contract, Property

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})")
JSON_TYPES = {"string": str, "boolean": bool, "integer": int, "number": (int, float), "object": dict, "array": list}


def parse(line: bytes) -> dict[str, Any] | None:
    """The line's object; None when it is none."""
    try:
        event = json.loads(line.decode())
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def reasons(line: bytes, contract: Contract, as_of: datetime) -> set[str]:
    """Every reason to reject a line, except that its id is known."""
    if len(line) > 1 << 20:
        return {"line_too_long"}
    event = parse(line)
    if event is None:
        return {"malformed_json"}
    types = {event_type.name: event_type for event_type in contract.event_types}
    properties = event.get("properties")
    stated = properties if isinstance(properties, dict) else {}
    found = set(_time_reasons(event.get("timestamp"), as_of))
    if not event.get("event_id") or not event.get("user_id"):
        found.add("missing_id")
    ids = [event.get("event_id"), *(stated.get(name) for name in ("campaign_id", "creative_id", "order_id"))]
    if any(value and not UUID.fullmatch(str(value)) for value in ids):
        found.add("invalid_uuid")
    if event.get("source") not in contract.sources:
        found.add("invalid_source")
    if event.get("event_type") not in types:
        return found | {"unknown_event_type"}
    for spec in types[event["event_type"]].properties:
        found |= _property_reasons(spec, stated)
    return found


def _property_reasons(spec: Property, stated: dict[str, Any]) -> set[str]:
    if spec.name not in stated:
        return {"schema_violation"} if spec.required else set()
    value = stated[spec.name]
    if not any(_has_type(value, kind) for kind in spec.json_types):
        return {"schema_violation"}
    if spec.is_amount and isinstance(value, int | float) and not (0 <= value < math.inf):
        return {"negative_amount"}
    if spec.is_score and isinstance(value, int | float) and not (0 <= value <= 1):
        return {"score_out_of_range"}
    return set()


def _has_type(value: Any, kind: str) -> bool:
    if kind == "null":
        return value is None
    return isinstance(value, JSON_TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _time_reasons(text: Any, as_of: datetime) -> set[str]:
    if not isinstance(text, str) or not INSTANT.fullmatch(text):
        return {"invalid_timestamp"}
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return {"invalid_timestamp"}
    if instant > as_of + timedelta(minutes=5):
        return {"timestamp_in_future"}
    return {"timestamp_too_old"} if instant < as_of - timedelta(days=400) else set()
