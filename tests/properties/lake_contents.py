"""What stands in the lake after ingestion, in the words of the oracle, so that both can be compared with ``==``."""

from __future__ import annotations

import json
from collections.abc import Container, Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from pipelines.lake.connection import Lake
from quality.contracts import Property, load_contract
from tests.oracles.ingestion_oracle import IngestionOracle, LoadCounts, StoredEvent, parse_timestamp

Row = dict[str, Any]
_LOG = ("lines", "accepted", "late", "replaced", "duplicates", "rejected")


def stored_fields(lake: Lake) -> dict[tuple[str, str], object]:
    """Values of ``raw.events`` by id and column, without those that are null."""
    rows = _rows(lake, "select * exclude (load_id) from lake.raw.events")
    assert len({row["event_id"] for row in rows}) == len(rows), "an event_id is stored twice"
    for row in rows:
        row["source_file"] = Path(row["source_file"]).name
        row["unknown_properties"] = json.loads(row["unknown_properties"] or "{}")
    return _fields({str(row["event_id"]): row for row in rows})


def expected_fields(oracle: IngestionOracle) -> dict[tuple[str, str], object]:
    """The same values as the oracle has them."""
    return _fields({event_id: _expected(event) for event_id, event in oracle.events.items()})


def quarantined_lines(lake: Lake) -> dict[tuple[str, int], set[str]]:
    """Reasons by file and line."""
    rows = _rows(lake, "select source_file, source_line, reasons from lake.raw.quarantine")
    return {(Path(row["source_file"]).name, row["source_line"]): set(row["reasons"]) for row in rows}


def load_log(lake: Lake) -> list[Row]:
    """Counts per loaded file, in order; reasons as a mapping."""
    rows = _rows(
        lake, f"select source_file, rejected_by_reason, {', '.join(_LOG)} from lake.ops.load_log order by load_id"
    )
    for row in rows:
        row["source_file"] = Path(row["source_file"]).name
        row["rejected_by_reason"] = json.loads(row["rejected_by_reason"] or "{}")
        row["rejected_by_reason"].pop("duplicate_event_id", None)
    return rows


def expected_log(name: str, counts: LoadCounts) -> Row:
    """The same as the oracle counts it."""
    reasons = dict(counts.rejected_by_reason)
    return {"source_file": name, "rejected_by_reason": reasons, **{column: getattr(counts, column) for column in _LOG}}


def _expected(stored: StoredEvent) -> Row:
    declared = {prop.name: prop for prop in load_contract()[stored.event_type].properties}
    columns = load_contract().event_columns
    typed = {
        name: _typed(declared[name], value)
        for name, value in stored.properties.items()
        if name in declared and name in columns and name not in stored.event
    }
    return {
        "event_id": UUID(stored.event_id),
        "event_type": stored.event_type,
        "timestamp": _naive(stored.timestamp),
        "event_date": stored.timestamp.date(),
        "user_id": stored.user_id,
        "session_id": stored.event.get("session_id"),
        "source": stored.event["source"],
        **{field: stored.context.get(field) for field in load_contract().context_fields},
        **typed,
        "ingested_at": _naive(stored.ingested_at),
        "source_file": stored.source_file,
        "source_line": stored.source_line,
        "late_arrival": stored.late,
        "ingestion_lag_seconds": (stored.ingested_at - stored.timestamp).total_seconds(),
        "unknown_properties": _undeclared(stored, declared),
    }


def _fields(rows: Mapping[str, Row]) -> dict[tuple[str, str], object]:
    return {(key, name): value for key, row in rows.items() for name, value in row.items() if value is not None}


def _undeclared(stored: StoredEvent, declared: Container[str]) -> Row:
    """What the contract doesn't declare, wherever it stood: kept, not dropped."""
    envelope = load_contract().envelope["properties"]
    found = {
        **{name: value for name, value in stored.event.items() if name not in envelope},
        **{name: value for name, value in stored.context.items() if name not in load_contract().context_fields},
        **{name: value for name, value in stored.properties.items() if name not in declared},
    }
    return {name: value for name, value in found.items() if value is not None}


def _typed(prop: Property, value: Any) -> Any:
    kinds: Mapping[str, Any] = {
        "uuid": lambda: UUID(value),
        "timestamp": lambda: _naive(parse_timestamp(value)),
        "double": lambda: float(value),
        "bigint": lambda: int(value),
        "decimal(18,4)": lambda: Decimal(repr(value)).quantize(Decimal("0.0001"), ROUND_HALF_UP),
    }
    if prop.column_type == "varchar" and not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return kinds.get(prop.column_type, lambda: value)()


def _naive(instant: datetime | None) -> datetime:
    assert instant is not None
    return instant.astimezone(UTC).replace(tzinfo=None)


def _rows(lake: Lake, sql: str) -> list[Row]:
    with lake.reader() as connection:
        cursor = connection.execute(sql)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
