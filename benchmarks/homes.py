"""Simulated days and the lakes that hold them, made once and given to every repetition as if untouched."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.process import Finished, run_job
from pipelines.settings import child_environment, load_settings

END = "2025-06-01T23:50:00+00:00"
"""The first instant that has not happened yet in the simulated day; its lake is computed for it."""
NEXT = "2025-06-01T23:55:00+00:00"
"""The instant of the work that is measured on top of such a lake."""

_WHOLE = "whole"
"""A file beside a lake that was built to its end."""


@dataclass(frozen=True)
class Day:
    """One simulated day of a company, or ``days`` that end with it; those that differ in ``events`` alone have the same
    customers and campaigns.
    """

    events: int
    customers: int
    seed: int = 7
    days: int = 1
    campaigns: int = 24

    @property
    def name(self) -> str:
        """Its folder."""
        span = "" if self.days == 1 else f"-{self.days}-days-{self.campaigns}-campaigns"
        return f"{self.events}-events-{self.customers}-customers-seed-{self.seed}{span}"

    @property
    def inputs(self) -> dict[str, object]:
        """What the jobs that simulate it are told."""
        return {"end": END, **asdict(self)}


@dataclass(frozen=True)
class Home:
    """A TRUELIFT_HOME; its data files may lie in another one's folder."""

    path: Path
    data: Path

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment of a child that works here: this process's, with the places of this home.

        Landed files need no rest, because nobody is writing them any more.
        """
        settings = load_settings({"TRUELIFT_HOME": str(self.path)})
        return child_environment(settings) | {
            "TRUELIFT_CATALOG": settings.catalog_url,
            "TRUELIFT_DATA_PATH": str(self.data),
            "TRUELIFT_LANDING_SETTLE_SECONDS": "0",
        }

    def land(self, *files: Path) -> None:
        """Put files into the landing folder; taking them in leaves the originals alone."""
        landing = self.path / "landing"
        landing.mkdir(parents=True, exist_ok=True)
        for file in files:
            os.link(file, landing / file.name)


@dataclass(frozen=True)
class Scratch:
    """The folder of everything that benchmarks make. With ``keep`` they find there what an earlier call has made."""

    folder: Path
    keep: bool

    def events(self, day: Day) -> Path:
        """The folder of a day's event and reference files."""
        folder = self.folder / "days" / day.name
        if not folder.exists():
            self.simulate(day, folder)
        return folder

    def simulate(self, day: Day, folder: Path) -> tuple[Finished, Any]:
        """Write a day's files; the folder has its name only when all of them are there."""
        unfinished = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(unfinished, ignore_errors=True)
        outcome = run_job("simulate", self._idle.environment, out=str(unfinished), **day.inputs)
        unfinished.rename(folder)
        return outcome

    def batch(self, day: Day, *, events: int, minutes: int) -> Path:
        """One more file of events of the day's last minutes."""
        path = self.folder / "days" / f"{day.name}-batch-{events}.jsonl"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            run_job(
                "simulate_batch", self._idle.environment, path=str(path), minutes=minutes, batch=events, **day.inputs
            )
        return path

    def lake(self, day: Day) -> Home:
        """A home into which a day was taken, built and published."""
        home = self._lake_home(day)
        if not (home.path / _WHOLE).exists():
            self.build_lake(day)
        return home

    def build_lake(self, day: Day) -> tuple[Finished, Any]:
        """Build that home anew by one run of the whole job; returns the run's measures and what it found."""
        home = self._lake_home(day)
        shutil.rmtree(home.path, ignore_errors=True)
        home.land(*(path for path in self.events(day).iterdir() if path.is_file()))
        outcome = run_job("run", home.environment, as_of=END, real_time=False, backfill=day.days > 1)
        (home.path / _WHOLE).touch()
        return outcome

    @contextmanager
    def empty(self) -> Iterator[Home]:
        """A home that holds nothing, for one piece of work."""
        home = _own_home(self.folder / "empty")
        shutil.rmtree(home.path, ignore_errors=True)
        yield home
        shutil.rmtree(home.path)

    @contextmanager
    def fork(self, origin: Home) -> Iterator[Home]:
        """A home that begins as the origin is and leaves it so: a catalog of its own on the origin's data files.

        Data files are never changed, only added; those that the work inside the block adds are deleted after it.
        """
        home = Home(self.folder / "fork", origin.data)
        shutil.rmtree(home.path, ignore_errors=True)
        (home.path / "lake").mkdir(parents=True)
        for path in (origin.path / "lake").iterdir():
            if path.is_file():
                shutil.copy2(path, home.path / "lake")
        shutil.copytree(origin.path / "logs", home.path / "logs")
        before = set(_files(origin.data))
        yield home
        for path in set(_files(origin.data)) - before:
            path.unlink()
        shutil.rmtree(home.path)

    def clean(self) -> None:
        """Delete everything that is not to be kept."""
        for name in ("idle", "empty", "fork", *(() if self.keep else ("days", "lakes"))):
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def _lake_home(self, day: Day) -> Home:
        return _own_home(self.folder / "lakes" / day.name)

    @property
    def _idle(self) -> Home:
        return _own_home(self.folder / "idle")


def _own_home(path: Path) -> Home:
    return Home(path, path / "lake" / "data")


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())
