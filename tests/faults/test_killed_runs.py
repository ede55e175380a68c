"""Killed at any moment, the next run completes the work: nothing lost, nothing doubled, nothing half published.

Moments are drawn by a seed from the phases of an undisturbed run. In each trial one run after the other is killed, then
one may finish; its marts must equal those of the run that nobody disturbed. A run that is killed after publishing may
have written back its events: then those of the same run, repeated, in which these count.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from models_ml.simulation import World, write_company
from pipelines.errors import UserError
from pipelines.lake.maintenance import maintain
from quality.contracts import load_contract
from tests.faults.homes import Home, Job, Rows
from tests.faults.job import PHASES
from tests.unit.ingestion.events import assert_reconciled
from tests.unit.lake.test_maintenance import in_catalog, on_disk

YESTERDAY = datetime(2025, 6, 10, tzinfo=UTC)
TODAY = datetime(2025, 6, 10, 12, tzinfo=UTC)
FILES_OF_TODAY = "2025-06-10"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


@dataclass(frozen=True)
class Scene:
    """A home before a run, what the undisturbed run made of it, and how long its phases took."""

    home: Home
    kept: Path
    before: Rows
    marts: tuple[Rows, Rows]
    published: tuple[Rows, Rows]
    archived: list[str]
    seconds: dict[str, float]


def company(folder: Path) -> list[Path]:
    """The files of a very small company, old enough to be taken in at once."""
    world = World(end=TODAY, days=4, customers=60, events=1_500, campaigns=8, late_share=0.05, repeat_share=0.05)
    write_company(world, load_contract(), folder)
    files = sorted(path for path in folder.iterdir() if path.is_file())
    for file in files:
        os.utime(file, (0, 0))
    return files


def scene(folder: Path, *, is_new: bool) -> Scene:
    """A lake of yesterday on which today's files have landed, or an empty home in which all have."""
    files = company(folder / "files")
    home = Home(folder / "home")
    if not is_new:
        home.land(*(file for file in files if FILES_OF_TODAY not in file.name))
        home.run(YESTERDAY)
    home.land(*(file for file in files if is_new or FILES_OF_TODAY in file.name))
    before = {} if is_new else home.rows("published")
    kept = home.keep()
    seconds = Job(home, TODAY).durations(PHASES)
    assert_reconciled(home.lake)
    marts, published = home.rows("marts"), home.rows("published")
    home.run(TODAY)
    again = home.rows("marts"), home.rows("published")
    return Scene(home, kept, before, (marts, again[0]), (published, again[1]), home.archived(), seconds)


@pytest.fixture(scope="module")
def next_day(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return scene(tmp_path_factory.mktemp("next_day"), is_new=False)


@pytest.fixture(scope="module")
def first_day(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return scene(tmp_path_factory.mktemp("first_day"), is_new=True)


def assert_whole(scene: Scene) -> None:
    """What a kill may leave: a lake in order, of which readers see the old publication or the new one."""
    try:
        published = scene.home.rows("published")
    except UserError:
        assert scene.before == {}, "the lake has gone"
        return
    assert_reconciled(scene.home.lake)
    assert published in (scene.before, *scene.published)


def kill_in_turn(scene: Scene, phases: tuple[str, ...], chance: random.Random) -> list[int]:
    """Kill a run in each of the phases, one run after the other; the exit codes of those that were killed."""
    codes = []
    for phase in phases:
        job = Job(scene.home, TODAY)
        job.wait_for(phase)
        codes.append(job.kill(chance.uniform(0, scene.seconds[phase])))
        assert_whole(scene)
    return codes


def assert_completed_by_the_next_run(scene: Scene) -> None:
    scene.home.run(TODAY)
    assert_reconciled(scene.home.lake)
    marts, published = scene.home.rows("marts"), scene.home.rows("published")
    assert (marts, published) in zip(scene.marts, scene.published, strict=True)
    assert scene.home.landed() == []
    assert scene.home.archived() == scene.archived
    maintain(scene.home.lake, TODAY, at_once=True)
    assert on_disk(scene.home.lake) == in_catalog(scene.home.lake)
    assert scene.home.rows("published") == published


TRIALS = [
    ("ingest", "build", "audit", "build", "build", "publish"),
    ("ingest", "ingest", "build", "audit", "build", "publish"),
    ("build", "ingest", "build", "build", "audit", "publish"),
]


@pytest.mark.parametrize("seed", range(len(TRIALS)))
def test_a_killed_day_is_completed(next_day: Scene, seed: int) -> None:
    next_day.home.bring_back(next_day.kept)
    codes = kill_in_turn(next_day, TRIALS[seed], random.Random(seed))
    assert any(codes), "no run was killed before its end"
    assert_completed_by_the_next_run(next_day)


def test_a_killed_first_day_is_completed(first_day: Scene) -> None:
    first_day.home.bring_back(first_day.kept)
    kill_in_turn(first_day, ("ingest", "build", "build", "publish"), random.Random(99))
    assert_completed_by_the_next_run(first_day)
