"""Hypothesis strategies for event files: valid events of every type, events with faults of every kind, and junk."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from quality.contracts import EventType, Property, load_contract
from tests.oracles.world import id_of

FIRST_LOAD = datetime(2025, 6, 10, 12, tzinfo=UTC)
EVENT_TYPES = load_contract().event_types
IDS = [id_of("event", n) for n in range(12)]
"""Few, so that ids repeat within files, between them and over loads."""

GAPS = [
    timedelta(0),
    timedelta(0),
    timedelta(0),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=5, seconds=1),
    timedelta(days=1),
]
"""Between one load and the next: on both sides of the five minutes in which an id may be replaced."""

AGES = [
    *[timedelta(minutes=minutes) for minutes in (0, 0, 1, 7, 7, 60)],
    timedelta(hours=24),
    timedelta(hours=24, seconds=1),
    timedelta(days=30),
    timedelta(days=30, seconds=1),
    timedelta(minutes=-5),
    timedelta(minutes=-5, seconds=-1),
]
"""Of an event when it is loaded: on both sides of every limit."""

text = st.text(alphabet="abcXYZ äöß-_/'\"\\€漢😀\t", max_size=12)
money = st.integers(0, 10**9).map(lambda cents: cents / 100) | st.integers(0, 10**6)


@dataclass(frozen=True)
class File:
    """One file that lands, and when."""

    content: bytes
    ingested_at: datetime
    backfill: bool


@st.composite
def files(draw: st.DrawFn, *, max_files: int = 4, max_lines: int = 12) -> list[File]:
    """Files in the order of their loads; a file may repeat an earlier one."""
    landed: list[File] = []
    ingested_at = FIRST_LOAD
    for _ in range(draw(st.integers(1, max_files))):
        if landed and draw(st.integers(0, 9)) == 0:
            content = landed[0].content
        else:
            size = draw(st.sampled_from([0, 1, *range(2, max_lines + 1)]))
            rows: list[bytes] = draw(st.lists(lines(ingested_at), min_size=size, max_size=size))
            ends_with_line_feed: bool = draw(st.booleans())
            content = b"\n".join(rows) + (b"\n" if rows and ends_with_line_feed else b"")
        landed.append(File(content, ingested_at, backfill=draw(st.integers(0, 4)) == 0))
        ingested_at += draw(st.sampled_from(GAPS))
    return landed


@st.composite
def lines(draw: st.DrawFn, ingested_at: datetime) -> bytes:
    """One line without its line feed: an event as often as not, else a faulty one, seldom junk."""
    kind = draw(st.sampled_from([events, events, events, events, faulty_events, faulty_events, faulty_events, None]))
    return draw(junk(ingested_at)) if kind is None else _encode(draw(kind(ingested_at)))


@st.composite
def events(draw: st.DrawFn, ingested_at: datetime) -> dict[str, Any]:
    """An event that no rule of the contract is against; only its age and its id may be."""
    event_type = draw(st.sampled_from(EVENT_TYPES))
    event = {
        "event_id": draw(st.sampled_from(IDS) | st.uuids().map(str)),
        "event_type": event_type.name,
        "timestamp": draw(timestamps(ingested_at)),
        "user_id": draw(st.sampled_from(["ann", "bob", "Zoë 😀", "u-1"])),
        "session_id": draw(st.none() | text),
        "source": draw(st.sampled_from(["mobile", "admin_portal", "backend"])),
        "properties": draw(properties(event_type)),
    }
    context = draw(st.none() | st.fixed_dictionaries({}, optional=dict.fromkeys(("platform", "region"), text)))
    return event if context is None and draw(st.booleans()) else {**event, "context": context}


@st.composite
def timestamps(draw: st.DrawFn, ingested_at: datetime) -> str:
    """An instant near a limit, written in one of the forms that ISO-8601 allows."""
    instant = ingested_at - draw(st.sampled_from(AGES))
    offset = draw(st.sampled_from([0, 0, 2, -5.5]))
    written = (instant + timedelta(hours=offset)).strftime(
        draw(st.sampled_from(["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"]))
    )
    fraction = draw(st.sampled_from(["", "", ".0", ".250", ".000001"]))
    sign, minutes = "-" if offset < 0 else "+", int(abs(offset) * 60)
    zone = draw(st.sampled_from(["Z", "+00:00"])) if offset == 0 else f"{sign}{minutes // 60:02}:{minutes % 60:02}"
    return f"{written}{fraction}{zone}"


def properties(event_type: EventType) -> st.SearchStrategy[dict[str, Any]]:
    """Valid properties of that type; optional ones may be absent or null, undeclared ones may be there."""
    required = {prop.name: values(prop) for prop in event_type.properties if prop.required}
    optional = {prop.name: st.none() | values(prop) for prop in event_type.properties if not prop.required}
    optional["not_declared_anywhere"] = text | st.integers() | st.just({"a": [1, None]})
    return st.fixed_dictionaries(required, optional=optional)


def values(prop: Property) -> st.SearchStrategy[Any]:
    """A valid value of a declared property, never null."""
    if prop.enum:
        return st.sampled_from(prop.enum)
    return st.one_of([_of_json_type(kind, prop) for kind in prop.json_types if kind != "null"])


def _of_json_type(kind: str, prop: Property) -> st.SearchStrategy[Any]:
    low, high = prop.minimum, prop.maximum
    whole = st.integers(int(low) if low is not None else -1000, int(high) if high is not None else 10**6)
    strategies: Mapping[str, st.SearchStrategy[Any]] = {
        "boolean": st.booleans(),
        "integer": whole | whole.map(float),
        "number": money if prop.is_amount else whole | whole.map(lambda n: n if n == high else n + 0.5),
        "object": st.dictionaries(text, st.integers(), max_size=2),
        "array": st.lists(st.integers(), max_size=2),
        "string": _string(prop),
    }
    return strategies[kind]


def _string(prop: Property) -> st.SearchStrategy[str]:
    if prop.format == "uuid":
        return st.uuids().map(str) | st.sampled_from(IDS).map(str.upper)
    if prop.format == "date-time":
        return timestamps(FIRST_LOAD)
    return st.sampled_from(["USD", "EUR"]) if prop.pattern else text


@st.composite
def faulty_events(draw: st.DrawFn, ingested_at: datetime) -> dict[str, Any]:
    """An event with one to three faults; some of them the contract tolerates."""
    event = draw(events(ingested_at))
    for _ in range(draw(st.integers(1, 3))):
        draw(st.sampled_from(FAULTS))(draw, event)
    return event


def _envelope_fault(draw: st.DrawFn, event: dict[str, Any]) -> None:
    name = draw(st.sampled_from(sorted(_ENVELOPE_FAULTS)))
    value = draw(st.sampled_from(_ENVELOPE_FAULTS[name]))
    event.pop(name, None)
    if value is not _ABSENT:
        event[name] = value


def _property_fault(draw: st.DrawFn, event: dict[str, Any]) -> None:
    if isinstance(event.get("properties"), dict):
        name = draw(st.sampled_from(sorted({*event["properties"], *_WELL_KNOWN})))
        value = draw(st.sampled_from(_VALUES))
        event["properties"].pop(name, None)
        if value is not _ABSENT:
            event["properties"][name] = value


_ABSENT = object()
_ENVELOPE_FAULTS: Mapping[str, list[Any]] = {
    "event_id": [
        _ABSENT,
        None,
        "",
        "not-a-uuid",
        17,
        IDS[0].upper(),
        IDS[0].replace("-", ""),
        f"{{{IDS[0]}}}",
        [IDS[0]],
    ],
    "user_id": [_ABSENT, None, "", 17, ["ann"]],
    "event_type": ["campaign_lost", "", "Campaign_clicked"],
    "source": [_ABSENT, None, "", "web", "MOBILE", ["mobile"], 1],
    "timestamp": [
        *(_ABSENT, None, "", "yesterday", 1749556800, "2025-06-10", "2025-06-10T12:00:00", "2025-06-10T12:00:00 CET"),
        *("2025-02-30T10:00:00Z", "2025-06-10T25:00:00Z", "2025-06-10T12:00:00+02", "2025-06-10T12:00Z", "now"),
    ],
    "properties": [_ABSENT, None, [], "text", 5],
    "context": [[], "text", {"platform": 5}, {"platform": None}, {"region": ["x"]}, {"other": 1}],
    "session_id": [5, ["x"], {}],
    "not_in_the_envelope": [1, {"a": "b"}],
}
_WELL_KNOWN = (
    "campaign_id",
    "creative_id",
    "order_id",
    "order_value",
    "discount_amount",
    "confidence_score",
    "currency",
)
_VALUES = [
    *(
        _ABSENT,
        None,
        "",
        "text",
        "12.5",
        "0.5",
        "true",
        True,
        -1,
        -0.01,
        0,
        0.5,
        1,
        1.01,
        2.5,
        10**15,
        2**63,
        2**70,
        1e300,
    ),
    *(math.nan, math.inf, -math.inf, [], {}, [1], IDS[0], "2025-06-10T12:00:00", "2025-06-10T12:00:00Z"),
]
FAULTS: list[Callable[[st.DrawFn, dict[str, Any]], None]] = [_envelope_fault, _property_fault, _property_fault]


def junk(ingested_at: datetime) -> st.SearchStrategy[bytes]:
    """Lines that are no events at all, and valid events in odd clothes."""
    one = events(ingested_at).map(_encode)
    fixed = [b"", b"   ", b"null", b"[]", b'"text"', b"{", b"{}", b"\x00", b"{'event_id': 1}", b"\xff\xfe{}", b"12"]
    return st.one_of(
        st.sampled_from(fixed),
        one.map(lambda line: line[: len(line) // 2]),
        one.map(lambda line: line[:-1] + b', "source": "backend"}'),
        one.map(lambda line: line.replace(b'"properties": {', b'"properties": {"twice": 1, "twice": 1, ')),
        one.map(lambda line: line + b"}"),
        one.map(lambda line: b" " + line + b" \r"),
        one.map(lambda line: line.replace(b'"user_id": "', b'"user_id": "\xe9')),
        one.map(lambda line: line.replace(b'"user_id": "', b'"user_id": "\\ud800')),
        st.binary(max_size=20).map(lambda line: line.replace(b"\n", b"")),
    )


def _encode(event: Mapping[str, Any]) -> bytes:
    return json.dumps(event, ensure_ascii=False).encode()
