"""One small simulated company on disk, with more of everything that can go wrong than by default."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from models_ml.simulation import BAD_SHARES, Truth, World, write_company
from quality.contracts import load_contract

END = datetime(2025, 6, 15, 18, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Written:
    world: World
    folder: Path
    truth: Truth

    def lines(self) -> list[tuple[str, int, bytes]]:
        """File name, line number and text of every line, read without the simulator's help."""
        found = []
        for path in sorted(self.folder.glob("events-*.jsonl")):
            content = path.read_bytes()
            assert content.endswith(b"\n")
            found += [(path.name, number, line) for number, line in enumerate(content[:-1].split(b"\n"), 1)]
        return found


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Written:
    world = World(
        end=END,
        days=40,
        customers=900,
        events=40_000,
        campaigns=13,
        late_share=0.03,
        repeat_share=0.02,
        bad_shares=dict.fromkeys(BAD_SHARES, 0.001),
        oversized_lines=2,
    )
    folder = tmp_path_factory.mktemp("company")
    return Written(world, folder, write_company(world, load_contract(), folder))
