"""The doctor names what is ill and the remedy, whatever is broken, and never falls ill itself."""

from __future__ import annotations

import importlib.metadata
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipelines.doctor import Finding, examine
from pipelines.ingestion.load import ingest_files
from pipelines.lake.connection import Lake
from pipelines.settings import Settings
from tests.unit.conftest import Truelift
from tests.unit.ingestion.events import AT, event, text, write


def findings(settings: Settings) -> dict[str, Finding]:
    return {finding.name: finding for finding in examine(settings)}


def ill(settings: Settings) -> dict[str, str]:
    return {finding.name: f"{finding.seen} {finding.remedy}" for finding in examine(settings) if not finding.is_good}


@pytest.fixture
def loaded(lake: Lake, tmp_path: Path) -> Settings:
    """The settings of a home with a lake of one event."""
    ingest_files(lake, [write(tmp_path / "a.jsonl", text(event(1)))], ingested_at=AT)
    return lake.settings


def test_a_new_home_is_well(settings: Settings) -> None:
    found = findings(settings)
    assert ill(settings) == {}
    assert found["lake"].seen == "none yet; the first run creates it"
    assert not Path(settings.catalog_url).exists()


def test_a_lake_in_use_is_well(loaded: Settings) -> None:
    write(loaded.landing / "b.jsonl", "")
    found = findings(replace(loaded, alert_webhook="https://hooks.example/secret"))
    assert all(finding.is_good for finding in found.values())
    assert found["lake"].seen == f"SQLite catalog, 1 loads, data in {loaded.data_path}"
    assert found["landing"].seen.startswith("1 files wait")
    assert found["alerts"].seen == "posted to a webhook"


def test_a_catalog_that_is_none_is_named(loaded: Settings) -> None:
    Path(loaded.catalog_url).write_bytes(b"this is no database" * 999)
    assert list(ill(loaded)) == ["lake"]
    assert "catalog can't be opened" in ill(loaded)["lake"]
    assert "TRUELIFT_CATALOG" in ill(loaded)["lake"]


def test_an_empty_catalog_is_no_lake(loaded: Settings) -> None:
    Path(loaded.catalog_url).write_bytes(b"")
    assert list(ill(loaded)) == ["lake"]


def test_lost_data_files_are_named(loaded: Settings) -> None:
    shutil.rmtree(loaded.data_path)
    assert "data files can't be read" in ill(loaded)["lake"]
    assert "backup" in ill(loaded)["lake"]


def test_a_home_that_can_not_be_used_is_named_and_the_rest_examined(settings: Settings, tmp_path: Path) -> None:
    broken = replace(settings, home=write(tmp_path / "file", ""))
    found = findings(broken)
    assert "can't be used" in found["home"].seen
    assert found["python"].is_good
    assert found["packages"].is_good
    assert all(finding.remedy for finding in found.values() if not finding.is_good)


def test_a_home_that_may_not_be_written_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.doctor.os.access", lambda path, _: path != settings.landing)
    assert f"{settings.landing} can't be written" in ill(settings)["home"]


def test_a_full_disk_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.doctor.shutil.disk_usage", lambda _: SimpleNamespace(free=1 << 30))
    assert ill(settings) == {"disk": "1.0 GiB free Free space, or run `truelift maintain`."}


def test_packages_that_do_not_fit_or_lack_are_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    actual = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "1.12.0" if name == "dbt-core" else actual(name))
    assert "make setup" in ill(settings)["packages"]

    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    assert "duckdb" in ill(settings)["packages"]


def test_an_extension_that_is_not_installed_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.lake.connection.importlib.util.find_spec", lambda _: None)
    assert "Install duckdb-extension-json==" in ill(settings)["extensions"]


def test_the_command_ends_with_one_when_something_is_ill(truelift: Truelift, loaded: Settings) -> None:
    well = truelift("doctor")
    assert well.code == 0
    assert "ok   lake: SQLite catalog, 1 loads" in well.out
    Path(loaded.catalog_url).write_bytes(b"no database")
    broken = truelift("doctor")
    assert broken.code == 1
    assert "bad  lake: " in broken.out
    assert "1 things are not in order." in broken.err
