"""One writer at a time, whatever keeps the catalog."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.errors import WorkFailedError
from pipelines.ingestion.load import ingest_files
from pipelines.lake.connection import Lake
from pipelines.lake.lock import file_lock, postgres_lock
from pipelines.settings import load_settings

HOLD = """
import sys, time
from pathlib import Path
from pipelines.lake.lock import file_lock, postgres_lock
lock = postgres_lock(sys.argv[1], 5) if "://" in sys.argv[1] else file_lock(Path(sys.argv[1]), 5)
with lock:
    print("held", flush=True)
    time.sleep(60)
"""


@contextmanager
def held_elsewhere(where: str) -> Iterator[subprocess.Popen[str]]:
    holder = subprocess.Popen([sys.executable, "-c", HOLD, where], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield holder
    finally:
        holder.kill()
        holder.wait()


def test_a_held_lock_is_waited_for_and_its_holder_is_named(tmp_path: Path) -> None:
    path = tmp_path / "writer.lock"
    with (
        held_elsewhere(str(path)) as holder,
        pytest.raises(WorkFailedError, match=f"pid {holder.pid}"),
        file_lock(path, 0.2),
    ):
        pass


def test_a_killed_holder_blocks_nobody(tmp_path: Path) -> None:
    path = tmp_path / "writer.lock"
    with held_elsewhere(str(path)) as holder:
        holder.kill()
        holder.wait()
        with file_lock(path, 5):
            assert path.exists()


def test_one_process_may_take_it_twice(tmp_path: Path) -> None:
    path = tmp_path / "writer.lock"
    with file_lock(path, 0), file_lock(path, 0):
        pass
    with file_lock(path, 0):
        pass


@pytest.mark.slow
def test_postgres_keeps_writers_apart_too(postgres_url: str) -> None:
    with (
        held_elsewhere(postgres_url) as holder,
        pytest.raises(WorkFailedError, match="writing to the lake"),
        postgres_lock(postgres_url, 0.3),
    ):
        pass
    holder.wait()
    begin = time.monotonic()
    with postgres_lock(postgres_url, 10), postgres_lock(postgres_url, 0):
        assert time.monotonic() - begin < 10


@pytest.mark.slow
def test_a_lake_with_its_catalog_in_postgres_takes_events_in_once(tmp_path: Path, postgres_url: str) -> None:
    settings = load_settings({"TRUELIFT_HOME": str(tmp_path / "home"), "TRUELIFT_CATALOG": postgres_url}).prepare()
    path = tmp_path / "events.jsonl"
    path.write_text(
        '{"event_id":"382f21e4-a57b-4700-b8ec-2d3446752b5c","event_type":"user_engaged","user_id":"u","source":"mobile",'
        '"timestamp":"2025-06-01T10:00:00Z","properties":{"engagement_type":"app_open"}}\nbroken\n'
    )
    lake = Lake(settings)
    at = datetime(2025, 6, 1, 12, tzinfo=UTC)
    [first] = ingest_files(lake, [path], ingested_at=at)
    [again] = ingest_files(lake, [path], ingested_at=at)
    assert (first.accepted, first.rejected, again.status) == (1, 1, "known")
    with lake.reader() as connection:
        assert connection.execute("select count(*) from lake.raw.events").fetchall() == [(1,)]


def test_an_unreachable_catalog_is_explained_without_its_password(tmp_path: Path) -> None:
    secret = "postgresql://user:hunter2@127.0.0.1:1/none"
    settings = load_settings({"TRUELIFT_HOME": str(tmp_path), "TRUELIFT_CATALOG": secret}).prepare()
    with pytest.raises(WorkFailedError, match="can't be") as caught, Lake(settings).writer():
        pass
    assert "hunter2" not in str(caught.value)
    with pytest.raises(WorkFailedError, match="can't be") as caught, Lake(settings).reader():
        pass
    assert "hunter2" not in str(caught.value)
