"""What is kept of dbt's parsing, and how a new home begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.settings import Settings, load_settings
from pipelines.transformation import invocation
from pipelines.transformation.invocation import parse, target_folder

CACHE = "partial_parse.msgpack"


def home(path: Path) -> Settings:
    return load_settings({"TRUELIFT_HOME": str(path)}).prepare()


@pytest.mark.slow
def test_a_new_home_takes_over_the_cache_of_the_installation(tmp_path: Path) -> None:
    first, second = home(tmp_path / "first"), home(tmp_path / "second")
    nodes = parse(first).nodes.keys()
    assert parse(second).nodes.keys() == nodes
    assert (target_folder(second) / CACHE).read_bytes() == (target_folder(first) / CACHE).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("content", [b"", b"no cache"])
def test_a_damaged_cache_costs_time_only(tmp_path: Path, content: bytes) -> None:
    settings = home(tmp_path)
    target_folder(settings).mkdir(parents=True)
    (target_folder(settings) / CACHE).write_bytes(content)
    assert any(name.endswith(".metric_values") for name in parse(settings).nodes)


def test_an_installation_that_can_not_be_written_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "target").write_text("a file where the folder would be")
    monkeypatch.setattr(invocation, "DBT_PROJECT", tmp_path)
    monkeypatch.setattr(invocation, "_invoke", lambda settings, _, **__: _written(target_folder(settings) / CACHE))
    assert parse(home(tmp_path / "home")) == "manifest"
    assert (tmp_path / "target").is_file()


def _written(cache: Path) -> str:
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.write_bytes(b"parsed")
    return "manifest"
