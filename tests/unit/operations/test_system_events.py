"""The platform tells what it did as events that it lands and takes in by itself."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import WorkFailedError
from pipelines.ingestion.load import ingest_files
from pipelines.lake.audit import Audit
from pipelines.lake.connection import Lake
from pipelines.lake.publishing import Publication, current_version, publish
from pipelines.operations.system_events import is_system_file, write_back
from quality.checks import CheckResult
from tests.unit.ingestion.events import event, query, text, write

AT = datetime(2025, 6, 30, 18, tzinfo=UTC)
DAYS = {"1d": 1, "30d": 30, "90d": 90}


def value(metric: str, window: str, number: float | None, **more: object) -> dict[str, object]:
    start = AT.date() - timedelta(days=DAYS[window] - 1)
    usual = {"breakdown": "overall", "period_kind": "window", "completeness_percent": 80.0, "as_of": AT}
    return {"metric_id": metric, "window_label": window, "period_start": start, "value": number, **usual, **more}


def anomaly(number: int, severity: str) -> dict[str, object]:
    return {
        "anomaly_id": f"00000000-0000-4000-8000-{number:012}",
        "metric_id": "ctr",
        "kind": "drop",
        "severity": severity,
        "expected": 2.0,
        "actual": 0.5,
        "deviation_percent": -75.0,
        "breakdown": "overall",
        "breakdown_key": "all",
        "event_date": date(2025, 6, 29),
        "rule": "seasonal_residual",
    }


def published(
    lake: Lake, values: list[dict[str, object]], anomalies: list[dict[str, object]], at: datetime = AT
) -> Publication:
    """Publish these marts as those of a run for ``at``."""
    columns = {
        "metric_values": "metric_id varchar, window_label varchar, period_start date, value double, breakdown varchar, "
        "period_kind varchar, completeness_percent double, as_of timestamp",
        "anomalies": "anomaly_id uuid, metric_id varchar, kind varchar, severity varchar, expected double, actual double, "
        "deviation_percent double, breakdown varchar, breakdown_key varchar, event_date date, rule varchar, as_of timestamp",
    }
    rows = {"metric_values": values, "anomalies": [{**each, "as_of": at} for each in anomalies]}
    with lake.writer() as connection:
        for table, shape in columns.items():
            connection.execute(f"create or replace table lake.marts.{table} ({shape})")
            for row in rows[table]:
                plain = [each.replace(tzinfo=None) if isinstance(each, datetime) else each for each in row.values()]
                marks = ", ".join("?" for _ in plain)
                connection.execute(f"insert into lake.marts.{table} ({', '.join(row)}) values ({marks})", plain)
        version = current_version(connection)
    sound = CheckResult("marts.metric_values", "is_right", "critical", True, "0 rows")
    return publish(lake, Audit(1, "run", "full", version, at, (sound,), ()), at)


def stored(lake: Lake, event_type: str, columns: str) -> list[tuple[Any, ...]]:
    return query(
        lake, f"select {columns} from lake.raw.events where event_type = '{event_type}' order by event_date, event_id"
    )


def test_a_refresh_tells_what_was_taken_in_since_the_one_before(lake: Lake) -> None:
    write_back(lake, published(lake, [], []), seconds=1.0)
    later = AT + timedelta(minutes=5)
    lines = [event(1, at="2025-06-30T18:02:00Z"), event(2, at="2025-06-30T18:03:00Z"), {"event_id": "no event"}]
    ingest_files(lake, [write(lake.settings.home / "a.jsonl", text(*lines))], ingested_at=later)
    write_back(lake, published(lake, [], [], later), seconds=2.5)
    columns = "records_processed, errors_encountered, refresh_duration_seconds, data_lag_seconds, timestamp"
    found = sorted(stored(lake, "data_refresh_completed", columns), key=lambda row: row[-1])
    assert found == [
        (0, 0, 1.0, None, AT.replace(tzinfo=None)),
        (2, 1, 2.5, 120, later.replace(tzinfo=None)),
    ]


def test_every_metric_that_the_run_computed_is_told_with_its_windows(lake: Lake) -> None:
    values = [
        value("ctr", "90d", 4.0),
        value("ctr", "30d", 3.0, completeness_percent=60.0),
        value("ctr", "1d", None),
        value("ltv", "90d", 400.0),
        value("roas", "30d", 2.0, as_of=AT - timedelta(days=1)),  # another run computed it
        value("aov", "30d", 20.0, breakdown="segment"),
        value("cpc", "30d", None),
    ]
    told = write_back(lake, published(lake, values, []), seconds=1.0)
    assert told == {"data_refresh_completed": 1, "metric_calculation_completed": 3}
    columns = "metric_id, result_value, dimension_breakdown, data_completeness_percentage"
    found = {name: rest for name, *rest in stored(lake, "metric_calculation_completed", columns)}
    assert {name: (result, json.loads(windows), share) for name, (result, windows, share) in found.items()} == {
        "ctr": (3.0, {"30d": 3.0, "90d": 4.0}, 60.0),
        "ltv": (400.0, {"90d": 400.0}, 80.0),
        "cpc": (None, {}, 80.0),
    }


def test_an_anomaly_of_weight_is_told_once(lake: Lake) -> None:
    first = [anomaly(1, "critical"), anomaly(2, "warning"), anomaly(3, "info")]
    assert write_back(lake, published(lake, [], first), seconds=1.0)["anomaly_detected"] == 2
    tomorrow = AT + timedelta(days=1)
    told = write_back(lake, published(lake, [], [*first, anomaly(4, "warning")], tomorrow), seconds=1.0)
    assert told["anomaly_detected"] == 1
    columns = "right(anomaly_id::varchar, 1), anomaly_severity, anomaly_type, expected_value, actual_value, percentage_deviation"
    assert sorted(stored(lake, "anomaly_detected", columns)) == [
        (number, severity, "drop", 2.0, 0.5, -75.0)
        for number, severity in (("1", "critical"), ("2", "warning"), ("4", "warning"))
    ]
    [(kept,)] = query(
        lake, "select distinct unknown_properties from lake.raw.events where event_type = 'anomaly_detected'"
    )
    assert json.loads(kept) == {
        "breakdown": "overall",
        "breakdown_key": "all",
        "anomaly_date": "2025-06-29",
        "rule": "seasonal_residual",
    }


def test_nothing_is_left_to_land_and_a_repeated_run_tells_nothing_twice(lake: Lake) -> None:
    values, anomalies = [value("ctr", "30d", 3.0)], [anomaly(1, "critical")]
    for told in (3, 0):
        assert sum(write_back(lake, published(lake, values, anomalies), seconds=1.0).values()) == told
        assert list(lake.settings.landing.iterdir()) == []
    assert query(
        lake, "select count(*), count(distinct event_id), max(ingestion_lag_seconds) from lake.raw.events"
    ) == [(3, 3, 0.0)]


def test_what_a_dead_run_left_is_known_as_the_platforms_own(lake: Lake) -> None:
    write_back(lake, published(lake, [], []), seconds=1.0)
    [archived] = lake.settings.archive.iterdir()
    assert is_system_file(Path(archived.name.split("-", 1)[1]))
    assert not is_system_file(Path("orders-truelift-2025.jsonl"))


def test_a_landing_folder_that_is_gone_is_named_and_nothing_is_unpublished(lake: Lake) -> None:
    publication = published(lake, [], [])
    shutil.rmtree(lake.settings.landing)
    with pytest.raises(WorkFailedError, match=r"is published, but its events can't be written to .*landing"):
        write_back(lake, publication, seconds=1.0)
    assert query(lake, "select max(version) from lake.ops.publish_log") == [(publication.version,)]
