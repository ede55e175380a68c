"""Lines that ingestion must reject, each with every reason that applies to it (specification 01-events.md)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

MEBIBYTE = 1 << 20

Event = dict[str, Any]
Spoil = Callable[[Event], "Event | bytes"]


@dataclass(frozen=True)
class Kind:
    """One way to be bad: the event type it begins from, what is done to the event, and all reasons that then apply."""

    begins_as: str
    spoil: Spoil
    reasons: tuple[str, ...]


class BadLines:
    """Makes bad lines for users and times that are given; the ways of each reason take turns."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._made = dict.fromkeys(KINDS, 0)

    def make(self, reason: str, user: str, time: int) -> tuple[bytes, tuple[str, ...]]:
        """One line (with its line feed) and all its reasons; ``time`` in milliseconds since 1970."""
        kinds = KINDS[reason]
        kind = kinds[self._made[reason] % len(kinds)]
        self._made[reason] += 1
        spoiled = kind.spoil(self._event(kind.begins_as, user, time))
        return (spoiled if isinstance(spoiled, bytes) else _text(spoiled)) + b"\n", kind.reasons

    def _event(self, event_type: str, user: str, time: int) -> Event:
        """A valid event that nothing else refers to."""
        properties = {name: self._id() if value is None else value for name, value in _PROPERTIES[event_type].items()}
        instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time)
        return {
            "event_id": self._id(),
            "event_type": event_type,
            "timestamp": _iso(instant),
            "user_id": user,
            "session_id": None,
            "source": "backend",
            "properties": properties,
            "context": {"app_version": "4.2.0", "platform": "Web", "user_segment": None, "region": "US-East"},
        }

    def _id(self) -> str:
        return str(uuid.UUID(bytes=self._rng.bytes(16), version=4))


_PROPERTIES: Mapping[str, Mapping[str, Any]] = {
    "user_engaged": {"engagement_type": "search", "session_duration_seconds": 12, "search_query": "crème brûlée set"},
    "user_purchased": {"order_id": None, "order_value": 45.1, "promo_code_used": False, "promotional_discount": 0},
    "user_segmented": {"segment_type": "INACTIVE", "segment_score": 0.7},
    "campaign_delivered": {"campaign_id": None, "creative_id": None, "delivery_channel": "email", "is_holdout": False},
    "campaign_clicked": {"campaign_id": None, "click_type": "cta"},
    "cart_updated": {"cart_id": "cart-a", "cart_value": 12.0, "items": []},
    "model_inference_completed": {"model_name": "churn_model_v3", "prediction": 0.4, "confidence_score": 0.8},
}
"""Properties that each bad line begins with; None stands for a fresh UUID."""


def _put(field: str, value: Any) -> Spoil:
    return lambda event: event | {field: value}


def _drop(field: str) -> Spoil:
    return lambda event: {name: value for name, value in event.items() if name != field}


def _put_property(name: str, value: Any) -> Spoil:
    return lambda event: event | {"properties": event["properties"] | {name: value}}


def _drop_property(name: str) -> Spoil:
    return lambda event: (
        event | {"properties": {key: value for key, value in event["properties"].items() if key != name}}
    )


def _raw(line: bytes) -> Spoil:
    return lambda _: line


def _cut(event: Event) -> bytes:
    text = _text(event)
    return text[: len(text) * 3 // 5]


def _broken_utf8(event: Event) -> bytes:
    return _text(event).replace("è".encode(), b"\xe8\xff")


def _overflowing(event: Event) -> bytes:
    return _text(event).replace(b"45.1", b"1e999")


def _future(event: Event) -> Event:
    return event | {"timestamp": _iso(datetime.fromisoformat(event["timestamp"]) + timedelta(days=27_000))}


def _padded(event: Event) -> Event:
    return event | {"properties": event["properties"] | {"search_query": "wide " * (MEBIBYTE // 5 + 1)}}


def _everything(event: Event) -> Event:
    return event | {
        "timestamp": "soon",
        "source": "kiosk",
        "properties": event["properties"] | {"order_value": -1, "promo_code_used": "yes"},
    }


def _kinds(reason: str, begins_as: str, *spoils: Spoil) -> tuple[Kind, ...]:
    return tuple(Kind(begins_as, spoil, (reason,)) for spoil in spoils)


def _iso(instant: datetime) -> str:
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text(event: Event) -> bytes:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


_RESET_CLOCK = "2001-01-01T00:00:00.000Z"
"""One instant for all lines that are too old, so that a backfill that takes them in gains one day and not hundreds."""

_NESTED = {"amount": {"value": [1, [2, [3, {"deep": None}]]]}}

KINDS: Mapping[str, tuple[Kind, ...]] = {
    "malformed_json": _kinds(
        "malformed_json",
        "user_engaged",
        _cut,
        _broken_utf8,
        _raw(b'["campaign_clicked",1]'),
        _raw(b'"just text"'),
        _raw(b"null"),
        _raw(b"{event_id: 1}"),
        _raw(b"\x00\x01\x02\xfe\xff\x80 junk"),
        _raw(b"[" * 2000 + b"]" * 2000),
    ),
    "missing_id": _kinds(
        "missing_id",
        "user_engaged",
        _put("event_id", None),
        _put("user_id", ""),
        _drop("event_id"),
        _put("user_id", None),
        _put("event_id", ""),
        _drop("user_id"),
    ),
    "invalid_uuid": (
        *_kinds("invalid_uuid", "user_engaged", _put("event_id", "not-a-uuid")),
        *_kinds("invalid_uuid", "campaign_clicked", _put_property("campaign_id", "C-1009")),
        *_kinds("invalid_uuid", "user_purchased", _put_property("order_id", "order 17")),
        *_kinds(
            "invalid_uuid", "campaign_delivered", _put_property("creative_id", "0e98fc80-5743-4dfa-ac3c-4c3ddf3c78bz")
        ),
    ),
    "unknown_event_type": _kinds(
        "unknown_event_type",
        "user_engaged",
        _put("event_type", "campaign_teleported"),
        _put("event_type", "USER_ENGAGED"),
    ),
    "invalid_source": _kinds(
        "invalid_source", "user_engaged", _put("source", "kiosk"), _put("source", "Mobile"), _put("source", None)
    ),
    "invalid_timestamp": _kinds(
        "invalid_timestamp",
        "user_engaged",
        _put("timestamp", None),
        _put("timestamp", "yesterday"),
        _put("timestamp", "2025-06-01T12:00:00"),
        _put("timestamp", "2025-13-45T99:00:00Z"),
        _put("timestamp", 1748779200),
        _drop("timestamp"),
    ),
    "timestamp_in_future": _kinds("timestamp_in_future", "user_engaged", _future),
    "timestamp_too_old": _kinds("timestamp_too_old", "user_engaged", _put("timestamp", _RESET_CLOCK)),
    "negative_amount": (
        *_kinds("negative_amount", "user_purchased", _put_property("order_value", -12.5)),
        *_kinds("negative_amount", "user_purchased", _put_property("order_value", float("nan"))),
        *_kinds("negative_amount", "user_purchased", _put_property("order_value", float("inf"))),
        *_kinds("negative_amount", "user_purchased", _overflowing),
        *_kinds("negative_amount", "user_purchased", _put_property("promotional_discount", -1)),
        *_kinds("negative_amount", "cart_updated", _put_property("cart_value", -0.01)),
        Kind(
            "user_purchased",
            _everything,
            ("invalid_source", "invalid_timestamp", "negative_amount", "schema_violation"),
        ),
    ),
    "score_out_of_range": (
        *_kinds("score_out_of_range", "user_segmented", _put_property("segment_score", 1.7)),
        *_kinds("score_out_of_range", "user_segmented", _put_property("segment_score", -0.2)),
        *_kinds("score_out_of_range", "model_inference_completed", _put_property("confidence_score", 87)),
    ),
    "schema_violation": (
        *_kinds("schema_violation", "user_purchased", _put_property("order_value", "45.10")),
        *_kinds("schema_violation", "user_purchased", _put_property("order_value", _NESTED)),
        *_kinds("schema_violation", "user_purchased", _drop_property("order_value")),
        *_kinds("schema_violation", "user_purchased", _put_property("order_value", None)),
        *_kinds("schema_violation", "campaign_delivered", _put_property("is_holdout", "true")),
        *_kinds("schema_violation", "campaign_delivered", _put_property("is_holdout", 1)),
        *_kinds("schema_violation", "user_engaged", _put_property("session_duration_seconds", "12")),
        *_kinds("schema_violation", "user_engaged", _drop("properties")),
        *_kinds("schema_violation", "cart_updated", _put_property("items", _NESTED)),
    ),
    "line_too_long": _kinds("line_too_long", "user_engaged", _padded),
}
"""The ways to be rejected for each reason; repeated ids are made from clean lines and not here."""
