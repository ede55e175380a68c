"""An independent judge of event files, written for obviousness from the specification 01-events.md.

Reads the JSON Schemas of the contract and nothing else of ours. One line at a time, one load after the other, it says
what must become of every line; the tests compare the lake with it. Slow on purpose, never used by the platform.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeGuard

import jsonschema

CONTRACTS = Path(__file__).resolve().parents[2] / "quality" / "contracts"
SOURCES = {"mobile", "admin_portal", "backend"}
UUID_PROPERTIES = {"campaign_id", "creative_id", "order_id"}
LONGEST_LINE = 1024 * 1024
REPLACE_WINDOW = timedelta(minutes=5)
FUTURE_TOLERANCE = timedelta(minutes=5)
LATE_AFTER = timedelta(hours=24)
OLDEST = timedelta(days=30)
LARGEST_AMOUNT = 10**14
"""DECIMAL(18,4) holds fourteen digits before the point."""

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_TIMESTAMP = re.compile(r"(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2})(?:\.(\d+))?(Z|[+-]\d{2}(?::?\d{2})?)", re.ASCII)


class _Object(dict[str, Any]):
    """A JSON object that remembers whether a key stood in it twice."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.repeats_a_key = len(pairs) != len(self)


@dataclass(frozen=True)
class Judged:
    """One line on its own: every reason against it, and what it says."""

    line_number: int
    raw: bytes
    reasons: frozenset[str]
    event: Mapping[str, Any] | None = None
    timestamp: datetime | None = None

    @property
    def event_id(self) -> str:
        """The id as it is stored: lower case, so that both spellings of one UUID are one id."""
        assert self.event is not None
        return str(self.event["event_id"]).lower()


@dataclass(frozen=True, eq=False)
class StoredEvent:
    """A row that must stand in ``raw.events``."""

    event_id: str
    event: Mapping[str, Any]
    timestamp: datetime
    ingested_at: datetime
    source_file: str
    source_line: int
    credited: bool

    @property
    def event_type(self) -> str:
        """One of the taxonomy."""
        return str(self.event["event_type"])

    @property
    def user_id(self) -> str:
        """Whose event it is."""
        return str(self.event["user_id"])

    @property
    def late(self) -> bool:
        """Whether it came more than a day after it happened."""
        return self.ingested_at - self.timestamp > LATE_AFTER

    @property
    def properties(self) -> dict[str, Any]:
        """The properties that are not null: null means absent."""
        return {name: value for name, value in self.event["properties"].items() if value is not None}

    @property
    def context(self) -> Mapping[str, Any]:
        """The context, empty when there is none."""
        return self.event.get("context") or {}


@dataclass(frozen=True)
class Quarantined:
    """A row that must stand in ``raw.quarantine``."""

    source_file: str
    source_line: int
    raw: bytes
    reasons: frozenset[str]


@dataclass
class LoadCounts:
    """What the load log must say about one file."""

    lines: int = 0
    accepted: int = 0
    late: int = 0
    replaced: int = 0
    duplicates: int = 0
    rejected: int = 0
    rejected_by_reason: Counter[str] = field(default_factory=Counter)
    min_timestamp: datetime | None = None
    max_timestamp: datetime | None = None


@dataclass
class IngestionOracle:
    """The lake as it must be after the loads so far; loads come in the order of their instants."""

    events: dict[str, StoredEvent] = field(default_factory=dict)
    quarantine: list[Quarantined] = field(default_factory=list)
    loads: list[tuple[str, datetime, LoadCounts]] = field(default_factory=list)
    """Name, instant and counts of every file that was taken in."""
    _contents: set[bytes] = field(default_factory=set)

    def load(
        self, name: str, content: bytes, ingested_at: datetime, *, backfill: bool = False, credited: bool = False
    ) -> LoadCounts | None:
        """Take in one file; None when the same content came before, which changes nothing."""
        if content in self._contents:
            return None
        self._contents.add(content)
        judged = [judge(n, raw, ingested_at, backfill=backfill) for n, raw in enumerate(lines_of(content), start=1)]
        counts = LoadCounts(lines=len(judged))
        self.loads.append((name, ingested_at, counts))
        last_line_of = {line.event_id: line.line_number for line in judged if not line.reasons}
        for line in judged:
            if line.reasons:
                counts.rejected += 1
                counts.rejected_by_reason.update(line.reasons)
                self.quarantine.append(Quarantined(name, line.line_number, line.raw, line.reasons))
            elif last_line_of[line.event_id] != line.line_number or self._stored_for_good(line, ingested_at):
                counts.duplicates += 1
                reasons = frozenset({"duplicate_event_id"})
                self.quarantine.append(Quarantined(name, line.line_number, line.raw, reasons))
            else:
                self._accept(line, name, ingested_at, credited, counts)
        return counts

    def _stored_for_good(self, line: Judged, ingested_at: datetime) -> bool:
        stored = self.events.get(line.event_id)
        return stored is not None and ingested_at - stored.ingested_at > REPLACE_WINDOW

    def _accept(self, line: Judged, name: str, ingested_at: datetime, credited: bool, counts: LoadCounts) -> None:
        assert line.event is not None
        assert line.timestamp is not None
        event = StoredEvent(line.event_id, line.event, line.timestamp, ingested_at, name, line.line_number, credited)
        counts.accepted += 1
        counts.late += event.late
        counts.replaced += event.event_id in self.events
        counts.min_timestamp = min(event.timestamp, counts.min_timestamp or event.timestamp)
        counts.max_timestamp = max(event.timestamp, counts.max_timestamp or event.timestamp)
        self.events[event.event_id] = event


def lines_of(content: bytes) -> list[bytes]:
    """The lines of a file: what stands between line feeds; nothing after the last one is no line."""
    lines = content.split(b"\n")
    return lines[:-1] if lines[-1] == b"" else lines


def judge(line_number: int, raw: bytes, ingested_at: datetime, *, backfill: bool = False) -> Judged:
    """Judge one line by all rules but the one on duplicates, which needs the other lines."""
    if len(raw) > LONGEST_LINE:
        return Judged(line_number, raw, frozenset({"line_too_long"}))
    event = _parse(raw)
    if event is None:
        return Judged(line_number, raw, frozenset({"malformed_json"}))
    timestamp = parse_timestamp(event.get("timestamp"))
    reasons = {
        *_identity_reasons(event),
        *_time_reasons(timestamp, ingested_at, backfill),
        *_property_reasons(event),
    }
    if any(isinstance(each, _Object) and each.repeats_a_key for each in (event, *event.values())):
        reasons.add("malformed_json")
    if not isinstance(event.get("source"), str) or event["source"] not in SOURCES:
        reasons.add("invalid_source")
    return Judged(line_number, raw, frozenset(reasons), event, timestamp)


def parse_timestamp(value: object) -> datetime | None:
    """An ISO-8601 instant with a zone as UTC, else None; digits beyond the microsecond are cut off."""
    match = _TIMESTAMP.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    day, clock, fraction, zone = match.groups()
    try:
        instant = datetime.fromisoformat(f"{day}T{clock}{zone}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return instant + timedelta(microseconds=int((fraction or "0")[:6].ljust(6, "0")))


def is_uuid(value: object) -> bool:
    """Whether it is a string of the form 8-4-4-4-12, in either case."""
    return isinstance(value, str) and _UUID.fullmatch(value) is not None


def _parse(raw: bytes) -> _Object | None:
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_Object)
        json.dumps(value, ensure_ascii=False).encode("utf-8")  # half of a surrogate pair is no text
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, _Object) else None


def _identity_reasons(event: Mapping[str, Any]) -> Iterator[str]:
    if event.get("event_id") in (None, "") or event.get("user_id") in (None, ""):
        yield "missing_id"
    if event.get("event_id") not in (None, "") and not is_uuid(event["event_id"]):
        yield "invalid_uuid"


def _time_reasons(timestamp: datetime | None, ingested_at: datetime, backfill: bool) -> Iterator[str]:
    if timestamp is None:
        yield "invalid_timestamp"
    elif timestamp - ingested_at > FUTURE_TOLERANCE:
        yield "timestamp_in_future"
    elif ingested_at - timestamp > OLDEST and not backfill:
        yield "timestamp_too_old"


def _property_reasons(event: Mapping[str, Any]) -> Iterator[str]:
    event_type, properties, schemas = str(event.get("event_type")), event.get("properties"), _schemas()
    if any(not _envelope_validator(name).is_valid(event.get(name)) for name in ("session_id", "context")):
        yield "schema_violation"
    if event.get("user_id") is not None and not isinstance(event["user_id"], str):
        yield "schema_violation"
    if event_type not in schemas:
        yield "unknown_event_type"
    elif isinstance(properties, dict) and _violates(schemas[event_type], properties):
        yield "schema_violation"
    if not isinstance(properties, dict):
        yield "schema_violation"
        return
    present = {name: value for name, value in properties.items() if value is not None}
    judged = schemas[event_type]["properties"] if event_type in schemas else _declared_names().all
    if any(name in UUID_PROPERTIES and name in judged and not is_uuid(value) for name, value in present.items()):
        yield "invalid_uuid"
    if any(name in judged and _is_bad_amount(name, value) for name, value in present.items()):
        yield "negative_amount"
    if any(name in judged and _is_bad_score(name, value) for name, value in present.items()):
        yield "score_out_of_range"


def _violates(schema: Mapping[str, Any], properties: Mapping[str, Any]) -> bool:
    """Whether a required property is missing, or a value is not as declared and no finer reason names that."""
    present = {name: value for name, value in properties.items() if value is not None}
    if any(name not in present for name in schema["required"]):
        return True
    for name, value in present.items():
        declared = schema["properties"].get(name)
        if declared is None or name in UUID_PROPERTIES or _is_bad_amount(name, value) or _is_bad_score(name, value):
            continue
        if not _property_validator(schema["title"], name).is_valid(value) or not _fits_its_column(declared, value):
            return True
    return False


def _fits_its_column(declared: Mapping[str, Any], value: object) -> bool:
    if isinstance(value, str) and declared.get("format") == "uuid":
        return is_uuid(value)
    if isinstance(value, str) and declared.get("format") == "date-time":
        return parse_timestamp(value) is not None
    kinds = {declared["type"]} if isinstance(declared["type"], str) else {*declared["type"]}
    if not _is_number(value) or "string" in kinds:  # what may be a text is stored as one
        return True
    if "integer" in kinds:
        return -(2**63) <= value < 2**63
    return value < LARGEST_AMOUNT if declared.get("x-unit") == "money" else math.isfinite(value)


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_bad_amount(name: str, value: Any) -> bool:
    return name in _declared_names().amounts and _is_number(value) and not 0 <= value < math.inf


def _is_bad_score(name: str, value: Any) -> bool:
    return name in _declared_names().scores and _is_number(value) and not 0 <= value <= 1


@dataclass(frozen=True)
class _DeclaredNames:
    all: frozenset[str]
    amounts: frozenset[str]
    scores: frozenset[str]


@lru_cache(maxsize=1)
def _declared_names() -> _DeclaredNames:
    declared = [item for schema in _schemas().values() for item in schema["properties"].items()]
    return _DeclaredNames(
        all=frozenset(name for name, _ in declared),
        amounts=frozenset(name for name, spec in declared if spec.get("x-unit") == "money"),
        scores=frozenset(name for name, _ in declared if name.endswith("_score")),
    )


@lru_cache(maxsize=1)
def _schemas() -> Mapping[str, Mapping[str, Any]]:
    """The schema of ``properties`` by event type."""
    schemas = [json.loads(path.read_text()) for path in sorted((CONTRACTS / "events").glob("*.json"))]
    return {schema["title"]: {"title": schema["title"], **schema["properties"]["properties"]} for schema in schemas}


@lru_cache(maxsize=512)
def _property_validator(event_type: str, name: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(_schemas()[event_type]["properties"][name])


@lru_cache(maxsize=8)
def _envelope_validator(name: str) -> jsonschema.Draft202012Validator:
    envelope = json.loads((CONTRACTS / "envelope.json").read_text())
    optional = {"anyOf": [{"type": "null"}, envelope["properties"][name]]}
    return jsonschema.Draft202012Validator(optional)
