"""What the platform tells of itself: that it refreshed the data, which metrics it computed, what it found out of the ordinary.

These events go the way of all others, through the landing folder. The run that writes them also takes them in, so that
they wait for no other and ask for none; what a run that dies leaves behind, the next one takes in.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from pipelines.errors import FREE_SPACE, WorkFailedError, is_disk_full
from pipelines.ingestion.load import ingest_files
from pipelines.lake.connection import Lake, lake_time
from pipelines.lake.publishing import Publication
from pipelines.settings import Settings

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "truelift:system-event")
"""Namespace of the events' ids, which are made of what they tell and of the run's instant."""

SYSTEM_USER = "truelift"
"""Who the events are of."""

_PREFIX = "truelift-"
_MAIN_WINDOW = "30d"


@dataclass(frozen=True)
class SystemEvent:
    """An event of the platform; ``key`` makes it what it is among those of its type."""

    event_type: str
    key: str
    properties: Mapping[str, object]

    @property
    def event_id(self) -> uuid.UUID:
        """The same for the same event."""
        return uuid.uuid5(NAMESPACE, f"{self.event_type} {self.key}")

    def line(self, at: datetime) -> str:
        """The event as a line of the landing folder, without what is unknown."""
        return json.dumps(
            {
                "event_id": str(self.event_id),
                "event_type": self.event_type,
                "timestamp": at.astimezone(UTC).isoformat(timespec="microseconds"),
                "user_id": SYSTEM_USER,
                "source": "backend",
                "properties": {name: value for name, value in self.properties.items() if value is not None},
            },
            allow_nan=False,
        )


def is_system_file(path: Path) -> bool:
    """Whether a landed file holds the platform's own events; no run is to be requested for it."""
    return path.name.startswith(_PREFIX)


def write_back(lake: Lake, publication: Publication, *, seconds: float) -> Mapping[str, int]:
    """Land what a publication's run has to tell and take it in; how many events of each type.

    ``seconds`` is how long the refresh took. Of an instant a refresh and its metrics are told once, however often it is
    repeated; so is an anomaly, by the first run that finds it. Raises WorkFailedError when the events can't be written
    or taken in; what is published stays so.
    """
    with lake.reader(publication.version) as connection:
        refresh = _refresh(connection, publication, seconds)
        of_instant = (
            () if _is_stored(connection, refresh, publication) else (refresh, *_metrics(connection, publication))
        )
        events = [*of_instant, *_anomalies(connection, publication)]
    if not events:
        return {}
    path = _land(lake.settings, publication.as_of, events)
    (result,) = ingest_files(lake, [path], ingested_at=publication.as_of)
    if result.status == "failed":
        raise WorkFailedError(
            f"What was computed is published, but its events {path.name} can't be taken in: {result.error}",
            "The next run takes them in.",
        )
    return Counter(event.event_type for event in events)


def _refresh(connection: duckdb.DuckDBPyConnection, publication: Publication, seconds: float) -> SystemEvent:
    """One for the publication: what has been taken in since the one before."""
    ((records, errors, newest),) = connection.execute(
        """
        select coalesce(sum(accepted), 0)::bigint, coalesce(sum(rejected), 0)::bigint, max(max_timestamp)
        from lake.ops.load_log
        where status = 'loaded' and ingested_at <= $as_of and not starts_with(parse_filename(source_file), $own)
            and ingested_at > (
                select coalesce(max(as_of), timestamp '1970-01-01') from lake.ops.publish_log where as_of < $as_of
            )
        """,
        {"as_of": lake_time(publication.as_of), "own": _PREFIX},
    ).fetchall()
    return SystemEvent(
        "data_refresh_completed",
        publication.as_of.isoformat(),
        {
            "refresh_id": str(uuid.uuid5(NAMESPACE, publication.as_of.isoformat())),
            "data_source": "landing",
            "records_processed": records,
            "refresh_duration_seconds": round(seconds, 3),
            "data_lag_seconds": newest and int((lake_time(publication.as_of) - newest).total_seconds()),
            "errors_encountered": errors,
        },
    )


def _is_stored(connection: duckdb.DuckDBPyConnection, event: SystemEvent, publication: Publication) -> bool:
    found = connection.execute(
        "select 1 from lake.raw.events where event_date = $as_of::date and event_type = $kind and event_id = $id",
        {"as_of": lake_time(publication.as_of), "kind": event.event_type, "id": event.event_id},
    )
    return found.fetchone() is not None


def _metrics(connection: duckdb.DuckDBPyConnection, publication: Publication) -> Iterator[SystemEvent]:
    """One for each metric that the run computed: its overall value, that of each window beside it."""
    rows = connection.execute(
        """
        select metric_id, list(window_label order by period_start desc), list(value order by period_start desc),
            min(completeness_percent)
        from lake.marts.metric_values
        where breakdown = 'overall' and period_kind = 'window' and as_of = $as_of
        group by metric_id order by metric_id
        """,
        {"as_of": lake_time(publication.as_of)},
    ).fetchall()
    for metric_id, windows, values, completeness in rows:
        by_window = dict(zip(windows, values, strict=True))
        yield SystemEvent(
            "metric_calculation_completed",
            f"{publication.as_of.isoformat()} {metric_id}",
            {
                "metric_id": metric_id,
                "calculation_timestamp": publication.as_of.isoformat(),
                "result_value": by_window.get(_MAIN_WINDOW, values[0]),
                "dimension_breakdown": {label: value for label, value in by_window.items() if value is not None},
                "data_completeness_percentage": completeness,
            },
        )


def _anomalies(connection: duckdb.DuckDBPyConnection, publication: Publication) -> Iterator[SystemEvent]:
    """One for each anomaly that is to be relied on and that no event has told of yet."""
    cursor = connection.execute(
        """
        select anomaly_id::varchar as anomaly_id, metric_id, kind as anomaly_type, severity as anomaly_severity,
            expected as expected_value, actual as actual_value, deviation_percent as percentage_deviation,
            breakdown, breakdown_key, event_date::varchar as anomaly_date, rule
        from lake.marts.anomalies
        where as_of = $as_of and severity in ('critical', 'warning') and anomaly_id not in (
            select anomaly_id from lake.raw.events
            where event_type = 'anomaly_detected' and anomaly_id is not null
                and event_date >= (select min(event_date) from lake.marts.anomalies)
        )
        order by event_date, anomaly_id
        """,
        {"as_of": lake_time(publication.as_of)},
    )
    names = [column[0] for column in cursor.description]
    for row in cursor.fetchall():
        properties: dict[str, Any] = dict(zip(names, row, strict=True))
        yield SystemEvent("anomaly_detected", properties["anomaly_id"], properties)


def _land(settings: Settings, as_of: datetime, events: list[SystemEvent]) -> Path:
    """Write the events into the landing folder, complete under their final name or not at all."""
    path = settings.landing / f"{_PREFIX}{as_of:%Y%m%dT%H%M%S.%f}.jsonl"
    unfinished = path.with_suffix(".tmp")
    try:
        unfinished.write_text("".join(f"{event.line(as_of)}\n" for event in events))
        unfinished.replace(path)
    except OSError as error:
        raise WorkFailedError(
            f"What was computed is published, but its events can't be written to {settings.landing}: "
            f"{error.strerror or error}.",
            FREE_SPACE if is_disk_full(error) else "Make the folder writable.",
        ) from error
    return path
