"""Small trainings on one thread, and the scripts that make the guides."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
import sklearn.ensemble  # noqa: F401  loads the library whose threads are limited
from threadpoolctl import threadpool_limits

GUIDES = Path(__file__).parents[2] / "docs" / "models"


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Threads that wait for each other on busy cores make small trainings take ten times as long."""
    with threadpool_limits(1):
        yield


@pytest.fixture
def guide(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], ModuleType]:
    """Runs the script that makes a guide, and proves that the guide says what it computes."""

    def proven(topic: str) -> ModuleType:
        monkeypatch.syspath_prepend(GUIDES)
        spec = importlib.util.spec_from_file_location(f"guide_{topic}", GUIDES / f"{topic}.py")
        assert spec and spec.loader
        script = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, script)
        spec.loader.exec_module(script)
        script.write(tmp_path / f"{topic}.py", script.page, script.plot)
        assert (GUIDES / f"{topic}.md").read_text() == (tmp_path / f"{topic}.md").read_text()
        assert (tmp_path / f"{topic}.svg").read_text().startswith("<?xml")
        return script

    return proven
