"""An independent reading of how good the loads of events were: load by load and day by day, from the lines themselves."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import zip_longest
from typing import NamedTuple

from pipelines.lake.connection import Lake
from tests.oracles.comparison import equal
from tests.oracles.ingestion_oracle import IngestionOracle, LoadCounts

OFF_SCHEMA = {"malformed_json", "missing_id", "unknown_event_type", "schema_violation", "line_too_long"}


class Quality(NamedTuple):
    """What the mart must say of a load or day."""

    lines: int
    ingestion: float | None
    validation: float | None
    schema: float | None
    duplicates: float | None
    late: float | None
    freshness: float | None
    completeness: float | None
    level: str


def quality_of(oracle: IngestionOracle, as_of: datetime) -> dict[tuple[str, date], list[Quality]]:
    """By grain and day, in no order: one of each file that has lines, and one of the day."""
    off_schema = Counter(line.source_file for line in oracle.quarantine if line.reasons & OFF_SCHEMA)
    volumes = Counter(event.timestamp.date() for event in oracle.events.values())
    by_day: dict[date, list[tuple[str, datetime, LoadCounts]]] = defaultdict(list)
    for name, at, counts in oracle.loads:
        if counts.lines:
            by_day[at.date()].append((name, at, counts))
    found: dict[tuple[str, date], list[Quality]] = {}
    for day, loads in by_day.items():
        complete = _completeness(day, volumes) if day < as_of.date() else None
        found["day", day] = [_measured(loads, off_schema, complete)]
        found["load", day] = [_measured([load], off_schema, None) for load in loads]
    return found


def _completeness(day: date, volumes: Mapping[date, int]) -> float | None:
    weeks = [volumes[earlier] for number in range(1, 5) if (earlier := day - timedelta(weeks=number)) in volumes]
    return min(100.0, 100 * volumes[day] / statistics.median(weeks)) if weeks and volumes.get(day) else None


def _measured(
    loads: Sequence[tuple[str, datetime, LoadCounts]], off_schema: Mapping[str, int], completeness: float | None
) -> Quality:
    counts = [each for _, _, each in loads]
    lines, accepted = sum(each.lines for each in counts), sum(each.accepted for each in counts)
    newest = [each.max_timestamp for each in counts if each.max_timestamp]
    validation = _percent(lines - sum(each.rejected for each in counts), lines)
    duplicates = _percent(sum(each.duplicates for each in counts), lines)
    late = _percent(sum(each.late for each in counts), accepted)
    freshness = (max(at for _, at, _ in loads) - max(newest)) / timedelta(minutes=1) if newest else None
    if (validation or 100) < 95:
        level = "critical"
    elif (freshness or 0) > 15 or (100 if completeness is None else completeness) < 90:
        level = "warning"
    elif (late or 0) > 5 or (duplicates or 0) > 1:
        level = "info"
    else:
        level = "ok"
    schema = _percent(lines - sum(off_schema[name] for name, _, _ in loads), lines)
    return Quality(lines, 100.0, validation, schema, duplicates, late, freshness, completeness, level)


def _percent(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None


def quality_discrepancies(lake: Lake, oracle: IngestionOracle, as_of: datetime) -> list[str]:
    """What the mart says otherwise of events, one line each."""
    with lake.reader() as connection:
        rows = connection.execute(
            """
            select grain, load_date, lines, ingestion_percent, validation_percent, schema_percent, duplicate_percent,
                late_percent, freshness_minutes, completeness_percent, level
            from lake.marts.quality_levels where target = 'events' and ingestion_percent = 100
            """
        ).fetchall()
    shown: dict[tuple[str, date], list[Quality]] = defaultdict(list)
    for grain, day, *row in rows:
        shown[grain, day].append(Quality(*row))
    expected = quality_of(oracle, as_of)
    return [
        f"quality {' '.join(map(str, key))}: shown {ours}, expected {theirs}"
        for key in sorted({*shown, *expected}, key=str)
        for ours, theirs in zip_longest(sorted(shown[key], key=_order), sorted(expected.get(key, []), key=_order))
        if ours is None or theirs is None or not all(map(equal, ours, theirs))
    ]


def _order(row: Quality) -> tuple[float, ...]:
    return tuple(round(number or -1, 6) for number in row[:-1] if not isinstance(number, str))
