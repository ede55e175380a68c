"""How soon events come in is judged by group, on what came lately, and late events are another matter."""

from __future__ import annotations

import csv
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import NAMESPACE_OID, uuid5

import pytest

from pipelines.ingestion.freshness import Timeliness, timeliness, waiting_time
from pipelines.ingestion.load import ingest_files
from pipelines.lake.connection import Lake
from pipelines.settings import PROJECT_DIR
from quality.contracts import load_contract

NOW = datetime(2025, 6, 30, 12, tzinfo=UTC)
SEED = PROJECT_DIR / "dbt_project" / "seeds" / "freshness_targets.csv"
SPECIFIED = {
    "campaign_events": (60, 300),
    "behavior": (300, 1800),
    "marketer_actions": (10, 60),
    "system": (60, 300),
}
"""Seconds of target and limit, typed off specification 02-metrics.md by hand."""


def targets() -> list[dict[str, str]]:
    with SEED.open(newline="") as file:
        return list(csv.DictReader(file))


def engaged(number: int, age: timedelta, at: datetime = NOW) -> str:
    return json.dumps(
        {
            "event_id": str(uuid5(NAMESPACE_OID, f"event {number} {at}")),
            "event_type": "user_engaged",
            "timestamp": (at - age).isoformat(),
            "user_id": "somebody",
            "session_id": None,
            "source": "mobile",
            "properties": {"engagement_type": "search"},
            "context": {},
        }
    )


def take_in(lake: Lake, folder: Path, ages: list[timedelta], at: datetime = NOW) -> None:
    path = folder / f"{at:%H%M%S}.jsonl"
    path.write_text("".join(engaged(number, age, at) + "\n" for number, age in enumerate(ages)))
    (result,) = ingest_files(lake, [path], ingested_at=at)
    assert result.accepted == len(ages)


@pytest.fixture
def published(lake: Lake) -> Lake:
    """A lake that has published its targets."""
    with lake.writer() as connection:
        connection.execute(
            f"create view lake.published.freshness_targets as select event_type, event_group, "
            f"target_seconds::bigint as target_seconds, limit_seconds::bigint as limit_seconds from '{SEED}'"
        )
    return lake


def judged(lake: Lake, since: datetime = NOW - timedelta(minutes=15)) -> dict[str, Timeliness]:
    with lake.reader() as connection:
        return {each.group: each for each in timeliness(connection, since)}


def test_every_event_type_has_the_specified_targets() -> None:
    rows = targets()
    assert sorted(row["event_type"] for row in rows) == sorted(each.name for each in load_contract().event_types)
    for row in rows:
        assert (int(row["target_seconds"]), int(row["limit_seconds"])) == SPECIFIED[row["event_group"]], row


def test_a_group_is_judged_by_what_came_lately(published: Lake, tmp_path: Path) -> None:
    take_in(published, tmp_path, [timedelta(hours=3)] * 5, NOW - timedelta(minutes=20))
    take_in(published, tmp_path, [timedelta(seconds=300)] * 95 + [timedelta(seconds=301)] * 5)
    found = judged(published)
    assert found["behavior"] == Timeliness("behavior", 100, 95, 100)
    assert (found["behavior"].is_met, found["behavior"].is_critical) == (True, False)
    assert found["system"] == Timeliness("system", 0, 0, 0)
    assert found["system"].is_met, "nothing has come too late where nothing came"
    assert judged(published, NOW - timedelta(hours=1))["behavior"].events == 105


@pytest.mark.parametrize(
    ("in_target", "in_limit", "is_met", "is_critical"),
    [(94, 100, False, False), (95, 99, True, False), (95, 98, False, True), (0, 0, False, True)],
)
def test_targets_are_for_95_and_limits_for_99_percent(
    in_target: int, in_limit: int, is_met: bool, is_critical: bool
) -> None:
    group = Timeliness("behavior", 100, in_target, in_limit)
    assert (group.is_met, group.is_critical) == (is_met, is_critical)


def test_what_comes_a_day_later_is_late_and_not_slow(published: Lake, tmp_path: Path) -> None:
    take_in(published, tmp_path, [timedelta(days=2)] * 50 + [timedelta(seconds=1)])
    assert judged(published)["behavior"] == Timeliness("behavior", 1, 1, 1)


def test_nothing_is_judged_before_anything_is_published(lake: Lake, tmp_path: Path) -> None:
    take_in(lake, tmp_path, [timedelta(hours=3)])
    assert judged(lake) == {}


def test_metrics_wait_while_something_landed_or_loaded_is_not_published(lake: Lake, tmp_path: Path) -> None:
    def waits(at: datetime) -> timedelta:
        with lake.reader() as connection:
            return waiting_time(connection, lake.settings, at)

    with lake.writer():
        pass
    assert waits(NOW) == timedelta(0)
    take_in(lake, tmp_path, [timedelta(0)])
    assert waits(NOW + timedelta(minutes=7)) == timedelta(minutes=7)
    with lake.writer() as connection:
        connection.execute(
            "insert into lake.ops.publish_log (publish_id, as_of) values (1, ?)", [NOW.replace(tzinfo=None)]
        )
    assert waits(NOW + timedelta(minutes=7)) == timedelta(0)

    landed = lake.settings.landing / "events.jsonl"
    landed.write_text("{}\n")
    arrived = datetime.fromtimestamp(landed.stat().st_ctime, UTC)
    os.utime(landed, (0, 0))
    assert waits(arrived + timedelta(minutes=3)) == pytest.approx(timedelta(minutes=3), abs=timedelta(seconds=5))


def test_what_a_person_must_mend_is_not_waited_for(lake: Lake) -> None:
    landing = lake.settings.landing
    (landing / "notes.docx").write_text("hello")
    (landing / "broken.jsonl.gz").write_bytes(b"no gzip")
    for path in landing.iterdir():
        os.utime(path, (0, 0))
    arrived = datetime.fromtimestamp((landing / "broken.jsonl.gz").stat().st_ctime, UTC)
    tried = arrived + timedelta(minutes=1)

    def waits() -> timedelta:
        with lake.reader() as connection:
            return waiting_time(connection, lake.settings, tried + timedelta(hours=1))

    with lake.writer():
        pass
    assert waits() == pytest.approx(timedelta(minutes=61), abs=timedelta(seconds=5))
    (result,) = ingest_files(lake, [landing / "broken.jsonl.gz"], ingested_at=tried)
    assert result.status == "failed"
    assert waits() == timedelta(0)
