"""A probe tells how each published view answers, and needs neither the writer's lock nor a version of the lake."""

from __future__ import annotations

import fcntl
import os
import time
from datetime import timedelta
from pathlib import Path

import pytest

from pipelines.errors import UserError, WorkFailedError
from pipelines.lake.connection import Lake
from pipelines.lake.publishing import current_version
from pipelines.operations.log import waiting
from pipelines.operations.probes import ANSWER_SECONDS, probe
from pipelines.settings import now
from tests.unit.conftest import Truelift
from tests.unit.operations.views import BROKEN, SLOW, SOUND, publish


def statuses(lake: Lake) -> dict[str, int]:
    return {each.service: each.status_code for each in probe(lake)}


def test_every_view_is_asked_and_its_answer_logged(lake: Lake) -> None:
    publish(lake, sound=SOUND, broken=BROKEN)
    assert statuses(lake) == {"sound": 200, "broken": 500}
    _, logged = waiting(lake.settings, "service_probes", now())
    assert {(row["service"], row["status_code"]) for row in logged} == {("sound", 200), ("broken", 500)}
    assert all(0 < row["response_ms"] < 60_000 for row in logged)
    assert len({row["probe_id"] for row in logged}) == 2


def test_a_view_that_takes_long_is_not_waited_for(lake: Lake) -> None:
    publish(lake, a_slow=SLOW, sound=SOUND)
    begin = time.perf_counter()
    slow, sound = probe(lake)
    assert time.perf_counter() - begin < 20 * ANSWER_SECONDS
    assert (slow.status_code, slow.response_ms, slow.is_ok) == (504, None, False)
    assert sound.is_ok, "the next view answers as ever"


def test_when_the_lake_is_gone_its_views_are_down(lake: Lake) -> None:
    publish(lake, sound=SOUND)
    probe(lake)
    catalog = Path(lake.settings.catalog_url)
    for damage in (lambda: catalog.write_bytes(b"no catalog"), catalog.unlink):
        damage()
        [found] = probe(lake)
        assert (found.service, found.status_code, found.response_ms) == ("sound", 503, None)


def test_without_a_lake_there_is_nothing_to_probe(lake: Lake) -> None:
    with pytest.raises(UserError):
        probe(lake)
    with lake.writer():
        pass
    assert probe(lake) == ()


def test_it_waits_for_no_writer_and_leaves_no_version(lake: Lake) -> None:
    publish(lake, sound=SOUND)
    with lake.reader() as connection:
        before = current_version(connection)
    lock = os.open(lake.settings.lake_dir / "writer.lock", os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert statuses(lake) == {"sound": 200}
    finally:
        os.close(lock)
    with lake.reader() as connection:
        assert current_version(connection) == before


def test_a_log_that_can_not_be_written_is_told(lake: Lake) -> None:
    publish(lake, sound=SOUND)
    lake.settings.operations_log.mkdir()
    with pytest.raises(WorkFailedError, match="can't be used"):
        probe(lake)


def test_the_command_shows_every_view_and_fails_when_one_is_down(truelift: Truelift, lake: Lake) -> None:
    publish(lake, sound=SOUND)
    done = truelift("probe")
    assert done.code == 0
    assert "sound" in done.out and "200" in done.out
    publish(lake, broken=BROKEN)
    done = truelift("probe")
    assert done.code == 1
    assert "1 of 2 views did not answer well" in done.err
    assert len(waiting(lake.settings, "service_probes", now() + timedelta(days=1))[1]) == 3
