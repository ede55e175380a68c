"""Homes to do harm to: their landing folders, what their marts hold, jobs in them and the killing of those."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pipelines.lake.connection import Lake
from pipelines.run import refresh, take_landing
from pipelines.settings import PROJECT_DIR, load_settings, now

Rows = Mapping[str, Sequence[tuple[Any, ...]]]
"""What tables hold, by their names, in an order of the rows that says nothing."""


@dataclass(frozen=True)
class Home:
    """A TRUELIFT_HOME that can be kept and brought back, at the same path: the catalog knows absolute ones."""

    path: Path

    @property
    def lake(self) -> Lake:
        """Its lake."""
        environment = {"TRUELIFT_HOME": str(self.path), "TRUELIFT_LANDING_SETTLE_SECONDS": "0"}
        return Lake(load_settings(environment).prepare())

    def land(self, *files: Path) -> None:
        """Copy files into the landing folder, with their times."""
        landing = self.lake.settings.landing
        for file in files:
            shutil.copy2(file, landing / file.name)

    def run(self, as_of: datetime) -> None:
        """An undisturbed run, in this process."""
        take_landing(self.lake, as_of=as_of, at=now())
        refresh(self.lake, as_of=as_of, at=now())

    def keep(self) -> Path:
        """Copy all of it aside; return where to."""
        kept = self.path.with_name(f"{self.path.name}-kept")
        shutil.copytree(self.path, kept)
        return kept

    def bring_back(self, kept: Path) -> None:
        """Make it again what it was when it was kept."""
        shutil.rmtree(self.path)
        shutil.copytree(kept, self.path)

    def rows(self, schema: str) -> Rows:
        """Everything in the tables and views of a schema."""
        with self.lake.reader() as connection:
            names = connection.execute(
                """
                select table_name from information_schema.tables
                where table_catalog = 'lake' and table_schema = $schema order by 1
                """,
                {"schema": schema},
            ).fetchall()
            return {
                name: connection.execute(f'select * from lake.{schema}."{name}" order by all').fetchall()
                for (name,) in names
            }

    def landed(self) -> list[str]:
        """Names of the files that wait in the landing folder."""
        return sorted(path.name for path in self.lake.settings.landing.iterdir())

    def archived(self) -> list[str]:
        """Names of the files in the archive, without the hash before them."""
        return sorted(path.name.split("-", 1)[1] for path in self.lake.settings.archive.iterdir())


class Job:
    """A run in a process group of its own; see :mod:`tests.faults.job`."""

    def __init__(self, home: Home, as_of: datetime, last_phase: str = "publish") -> None:
        command = [sys.executable, "-m", "tests.faults.job", str(home.path), as_of.isoformat(), last_phase]
        self._errors = (home.path.parent / "job.log").open("w+b")
        self._process = subprocess.Popen(
            command,
            cwd=PROJECT_DIR,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,
            text=True,
        )

    def wait_for(self, phase: str) -> None:
        """Return when that phase begins; fail when the job ends before."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.strip() == phase:
                return
        self._process.wait()
        self._errors.seek(0)
        raise AssertionError(f"the job ended before {phase}: {self._errors.read().decode()[-2000:]}")

    def durations(self, phases: Sequence[str]) -> dict[str, float]:
        """Let it run to its end; seconds of each phase."""
        begun = {}
        for phase in (*phases, "end"):
            self.wait_for(phase)
            begun[phase] = time.perf_counter()
        self._process.wait()
        self._close()
        times = list(begun.values())
        return {phase: end - begin for phase, begin, end in zip(phases, times, times[1:], strict=False)}

    def kill(self, after: float = 0.0) -> int:
        """Kill -9 the whole process group so many seconds from now; its exit code, 0 where it ended before."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(after)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        code = self._process.wait()
        self._close()
        return code

    def _close(self) -> None:
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._errors.close()
