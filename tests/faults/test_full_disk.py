"""A disk that fills up: the error says so, what was committed stays usable, and with space the same run completes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from models_ml.simulation import World, write_company
from pipelines.settings import PROJECT_DIR
from quality.contracts import load_contract
from tests.faults.homes import Home
from tests.unit.ingestion.events import assert_reconciled

AS_OF = datetime(2025, 6, 10, tzinfo=UTC)
TIGHT, ROOMY = "6m", "300m"

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Disk:
    """A home on a file system of its own, in memory."""

    path: Path

    def resize(self, size: str) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}", str(self.path)], check=True)

    def truelift(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", "from pipelines.cli import main; main()", *arguments],
            cwd=PROJECT_DIR,
            env={**os.environ, "TRUELIFT_HOME": str(self.path), "TRUELIFT_LANDING_SETTLE_SECONDS": "0"},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    path = tmp_path / "home"
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={TIGHT}", "tmpfs", str(path)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no small disk can be made here: {mounted.stderr.decode().strip()}")
    yield Disk(path)
    subprocess.run(["umount", str(path)], check=True)


def company(folder: Path, events: int) -> list[Path]:
    """The event files of one company, one a day."""
    write_company(World(end=AS_OF, seed=events, days=2, customers=500, events=events), load_contract(), folder)
    return sorted(folder.glob("events-*.jsonl"))


def assert_told(outcome: subprocess.CompletedProcess[str]) -> None:
    assert outcome.returncode == 1, outcome.stderr
    assert "disk is full" in outcome.stderr
    assert "Free space" in outcome.stderr
    assert "Traceback" not in outcome.stderr + outcome.stdout


def test_what_does_not_fit_is_refused_whole_and_taken_in_later(disk: Disk, tmp_path: Path) -> None:
    as_of = ("--as-of", AS_OF.isoformat())
    small, large = company(tmp_path / "small", 500), company(tmp_path / "large", 150_000)
    assert disk.truelift("ingest", str(small[0]), *as_of).returncode == 0
    home = Home(disk.path)
    before = home.rows("raw")

    assert_told(disk.truelift("ingest", str(tmp_path / "large"), *as_of))
    assert_reconciled(home.lake)
    assert home.rows("raw")["events"][: len(before["events"])]
    shown = disk.truelift("sql", "select count(*) from lake.ops.load_log where status = 'loaded'", "--format", "csv")
    assert shown.returncode == 0, shown.stderr

    disk.resize(ROOMY)
    assert disk.truelift("ingest", str(tmp_path / "large"), *as_of).returncode == 0
    assert_reconciled(home.lake)
    with home.lake.reader() as connection:
        lines = connection.execute("select sum(lines) from lake.ops.load_log where target = 'events'").fetchall()
    written = sum(len(file.read_bytes().splitlines()) for file in [small[0], *large])
    assert lines[0][0] >= written - len(large)


def test_a_build_without_room_publishes_nothing_and_completes_with_room(disk: Disk, tmp_path: Path) -> None:
    as_of = ("--as-of", AS_OF.isoformat())
    company(tmp_path / "files", 2_000)
    assert disk.truelift("ingest", str(tmp_path / "files"), *as_of).returncode == 0
    used = sum(path.stat().st_size for path in disk.path.rglob("*") if path.is_file())
    disk.resize(str(used + 700_000))

    assert_told(disk.truelift("run", *as_of))
    assert "published" not in disk.truelift("publish", "status").stdout.split("\n")[0]

    disk.resize(ROOMY)
    completed = disk.truelift("run", *as_of)
    assert completed.returncode == 0, completed.stderr
    assert_reconciled(Home(disk.path).lake)
    counted = disk.truelift(
        "sql", "select count(*) > 0 as there from published.campaign_performance", "--format", "csv"
    )
    assert counted.stdout.split() == ["there", "true"]
