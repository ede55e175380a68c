"""The log keeps what ran until a load holds it: once, in whatever process, and not before its time."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelines.ingestion import operations
from pipelines.lake.connection import Lake
from pipelines.operations.log import append, waiting
from pipelines.operations.queries import Query, log_queries, logged
from pipelines.run import take_landing
from pipelines.settings import Settings, load_settings, now
from tests.unit.conftest import Truelift
from tests.unit.ingestion.events import event, query, text, write

AT = datetime(2025, 6, 1, 12, tzinfo=UTC)
TABLES = ("service_probes", "query_costs")


def log_probes(settings: Settings, *names: str, at: datetime = AT) -> None:
    row = {"service": "mart", "started_at": at, "status_code": 200, "response_ms": 1.5}
    append(settings, "service_probes", [{"probe_id": name, **row} for name in names])


def stored(lake: Lake) -> list[str]:
    rows = query(lake, "select probe_id from lake.raw.service_probes where valid_to is null order by all")
    return [name for (name,) in rows]


def take(lake: Lake, as_of: datetime) -> list[tuple[str, int]]:
    taken = take_landing(lake, as_of=as_of, at=now())
    return [(each.target, each.accepted) for each in taken.results]


def test_a_run_takes_the_log_in_once(lake: Lake) -> None:
    log_probes(lake.settings, "a", "b")
    assert take(lake, AT) == [("service_probes", 2)]
    assert take(lake, AT) == []
    assert stored(lake) == ["a", "b"]
    [row] = query(
        lake,
        "select service, started_at, status_code, response_ms, source_file from lake.raw.service_probes where probe_id = 'a'",
    )
    assert row == ("mart", AT.replace(tzinfo=None), 200, 1.5, "operations.sqlite")
    [counts] = query(lake, "select source, lines, accepted, status from lake.ops.load_log")
    assert counts == ("operations", 2, 2, "loaded")


def test_what_began_after_the_instant_of_a_run_waits_for_a_later_one(lake: Lake) -> None:
    log_probes(lake.settings, "later", at=AT + timedelta(seconds=1))
    log_probes(lake.settings, "now")
    assert take(lake, AT) == [("service_probes", 1)]
    assert stored(lake) == ["now"]
    assert take(lake, AT + timedelta(minutes=1)) == [("service_probes", 1)]
    assert stored(lake) == ["later", "now"]


def test_dying_before_the_mark_stores_nothing_twice(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    log_probes(lake.settings, "a")
    with monkeypatch.context() as patch:
        patch.setattr(operations, "mark_taken", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            take(lake, AT)
    log_probes(lake.settings, "b")
    assert take(lake, AT) == [("service_probes", 1)]
    assert stored(lake) == ["a", "b"]
    assert take(lake, AT) == []


def test_rows_are_dropped_a_day_after_they_were_taken(lake: Lake) -> None:
    log_probes(lake.settings, "old", at=AT - timedelta(days=2))
    log_probes(lake.settings, "young")
    take(lake, AT)
    with closing(sqlite3.connect(lake.settings.operations_log)) as log:
        assert log.execute("select probe_id from service_probes").fetchall() == [("young",)]
    assert stored(lake) == ["old", "young"]


def log_many(home: str, number: int) -> None:
    settings = load_settings({"TRUELIFT_HOME": home})
    for each in range(20):
        log_probes(settings, f"{number}-{each}")


def test_processes_write_side_by_side(settings: Settings) -> None:
    with ProcessPoolExecutor(4) as processes:
        list(processes.map(log_many, [str(settings.home)] * 4, range(4)))
    assert len(waiting(settings, "service_probes", AT)[1]) == 80


def test_a_query_is_logged_with_who_what_when_and_how_long_and_nothing_else(settings: Settings) -> None:
    settings = load_settings({"TRUELIFT_HOME": str(settings.home), "TRUELIFT_ACTOR": "ann"})
    with pytest.raises(ZeroDivisionError), logged(settings, "sql", "truelift sql"):
        _ = 1 / 0
    [row] = waiting(settings, "query_costs", now())[1]
    assert (row["engine"], row["name"], row["actor"], row["cost"], row["bytes"]) == (
        "sql",
        "truelift sql",
        "ann",
        None,
        None,
    )
    assert 0 <= row["seconds"] < 10
    assert abs(datetime.fromisoformat(row["started_at"]) - now()) < timedelta(minutes=1)


def test_a_log_that_can_not_be_written_stops_no_work(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    settings.operations_log.mkdir()
    log_queries(settings, [Query("sql", "truelift sql", AT, 1.0)])
    assert "1 queries are not logged" in caplog.text


def test_a_log_that_is_no_log_stops_no_run_and_is_named(lake: Lake, tmp_path: Path) -> None:
    lake.settings.operations_log.write_bytes(b"\x00junk" * 1000)
    write(lake.settings.landing / "a.jsonl", text(event("e", at=AT.isoformat())))
    landing = take_landing(lake, as_of=AT, at=now() + timedelta(hours=1))
    *failed, loaded = landing.results
    assert {(each.status, each.source_file) for each in failed} == {("failed", "operations.sqlite")}
    assert "can't be used" in str(failed[0].error)
    assert (loaded.status, loaded.accepted) == ("loaded", 1)


def test_the_text_of_a_query_is_nowhere(truelift: Truelift, lake: Lake) -> None:
    with lake.writer():
        pass
    assert truelift("sql", "select 'very secret' as answer").code == 0
    [row] = waiting(lake.settings, "query_costs", now())[1]
    assert row["name"] == "truelift sql"
    for path in Path(lake.settings.logs).glob("operations.sqlite*"):
        assert b"secret" not in path.read_bytes()


def test_every_step_of_a_run_is_logged(lake: Lake) -> None:
    take(lake, AT)
    [row] = waiting(lake.settings, "query_costs", now())[1]
    assert (row["engine"], row["name"]) == ("python", "ingestion")
    assert TABLES == operations.LOGGED
