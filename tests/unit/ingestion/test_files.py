"""Which files are taken in, in which order, and where they go."""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.errors import UserError, WorkFailedError
from pipelines.ingestion.files import (
    archive_landed,
    check_paths,
    files_in,
    is_known,
    look_at,
    ready_files,
    recorded_name,
    reference_of,
)
from pipelines.ingestion.lines import UnreadableFileError
from pipelines.settings import Settings
from tests.unit.ingestion.events import write

NOW = datetime(2025, 6, 10, 12, tzinfo=UTC)


def landed(settings: Settings, name: str, *, seconds_ago: float = 60) -> Path:
    """A file of the landing folder that was last written so long before NOW."""
    path = write(settings.landing / name, name)
    os.utime(path, (NOW.timestamp() - seconds_ago,) * 2)
    return path


def names(settings: Settings) -> list[str]:
    return [str(path.relative_to(settings.landing)) for path in ready_files(settings, NOW)]


def test_hidden_unfinished_and_fresh_files_are_left_alone(settings: Settings) -> None:
    for name in ("b.jsonl", "sub/c.parquet"):
        landed(settings, name)
    for name in (".a.jsonl", ".partial/a.jsonl", "a.jsonl.tmp", "a.jsonl.part", "a.csv.partial", "a.jsonl.crdownload"):
        landed(settings, name)
    landed(settings, "fresh.jsonl", seconds_ago=settings.landing_settle_seconds / 2)
    landed(settings, "of-the-future.jsonl", seconds_ago=-3600)
    assert names(settings) == ["b.jsonl", "sub/c.parquet"]
    assert names(replace(settings, landing_settle_seconds=0.0)) == ["b.jsonl", "sub/c.parquet", "fresh.jsonl"]


def test_references_come_first_and_the_oldest_before_the_younger(settings: Settings) -> None:
    for age, name in enumerate(["z.jsonl", "campaigns.csv", "a.jsonl", "fx_rates-2025.csv"], start=10):
        landed(settings, name, seconds_ago=age)
    assert names(settings) == ["fx_rates-2025.csv", "campaigns.csv", "a.jsonl", "z.jsonl"]


def test_what_is_no_file_does_not_land(settings: Settings, tmp_path: Path) -> None:
    (settings.landing / "folder.jsonl").mkdir()
    (settings.landing / "loop.jsonl").symlink_to(settings.landing / "loop.jsonl")
    (settings.landing / "loop").symlink_to(settings.landing)
    (settings.landing / "broken.jsonl").symlink_to(tmp_path / "nowhere")
    os.mkfifo(settings.landing / "pipe.jsonl")
    landed(settings, "a.jsonl")
    assert names(settings) == ["a.jsonl"]


def test_a_file_that_goes_while_the_folder_is_listed_is_no_fault(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    landed(settings, "a.jsonl")
    gone = settings.landing / "gone.jsonl"
    monkeypatch.setattr(Path, "rglob", lambda _, pattern: iter([gone, settings.landing / "a.jsonl"]))
    assert names(settings) == ["a.jsonl"]


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("campaigns.csv", "campaigns"),
        ("ad_spend_daily-2025-06-01.parquet", "ad_spend_daily"),
        ("fx_rates_x.csv", "fx_rates"),
        ("products.2025.csv", "products"),
        ("campaigns.jsonl", None),
        ("campaignstats.csv", None),
        ("my_campaigns.csv", None),
        ("events.parquet", None),
    ],
)
def test_a_name_says_which_reference_a_file_is(name: str, reference: str | None) -> None:
    assert reference_of(Path(name)) == reference


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.parquet", "customers.csv"])
def test_known_names(name: str) -> None:
    assert is_known(Path(name))


@pytest.mark.parametrize("name", ["a.json", "a.csv", "a.txt", "a.gz", "campaigns.xlsx", "a.JSONL"])
def test_unknown_names(name: str) -> None:
    assert not is_known(Path(name))


def test_a_mistaken_path_is_answered_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.jsonl does not exist.*Give a file"):
        check_paths([tmp_path / "none.jsonl"])
    with pytest.raises(UserError, match=r"is a folder.*truelift ingest FOLDER"):
        check_paths([tmp_path])
    with pytest.raises(UserError, match=r"a\.json is neither.*jsonl\.gz.*campaigns, creatives.*--source"):
        check_paths([write(tmp_path / "a.json", "{}")])
    os.mkfifo(tmp_path / "pipe.jsonl")
    with pytest.raises(UserError, match=r"pipe\.jsonl is no file"):
        check_paths([tmp_path / "pipe.jsonl"])
    check_paths([write(tmp_path / "a.jsonl", "")])


def test_a_folder_gives_its_files_references_first(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no event file"):
        files_in(tmp_path)
    for name in ("b.jsonl", "a.jsonl", "products.csv", ".hidden.jsonl", "readme.txt", "a.jsonl.tmp", "deep/c.jsonl"):
        write(tmp_path / name, "")
    assert [path.name for path in files_in(tmp_path)] == ["products.csv", "a.jsonl", "b.jsonl"]


def test_landed_files_are_archived_under_their_hash_and_others_stay(settings: Settings, tmp_path: Path) -> None:
    path = landed(settings, "sub/a.jsonl")
    seen = look_at(path)
    archive_landed(settings, seen)
    assert [each.name for each in settings.archive.iterdir()] == [f"{seen.content_hash[:12]}-a.jsonl"]
    assert not path.exists()
    archive_landed(settings, seen)  # it has gone: nothing to do
    elsewhere = write(tmp_path / "elsewhere.jsonl", "x")
    archive_landed(settings, look_at(elsewhere))
    assert elsewhere.exists()


def test_a_file_that_grew_after_it_was_read_stays_for_the_next_run(settings: Settings) -> None:
    path = landed(settings, "a.jsonl")
    seen = look_at(path)
    with path.open("a") as file:
        file.write("more")
    archive_landed(settings, seen)
    assert path.exists()
    assert list(settings.archive.iterdir()) == []


def test_the_longest_name_finds_a_place_in_the_archive(settings: Settings) -> None:
    path = landed(settings, "x" * 249 + ".jsonl")
    archive_landed(settings, look_at(path))
    [archived] = settings.archive.iterdir()
    assert archived.name.endswith("x.jsonl")


def test_an_archive_on_another_disk_is_reached(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "rename", refuse)
    archive_landed(settings, look_at(landed(settings, "a.jsonl")))
    assert [path.read_text() for path in settings.archive.iterdir()] == ["a.jsonl"]
    assert list(settings.landing.iterdir()) == []


def test_an_archive_that_can_not_be_written_is_explained(settings: Settings) -> None:
    path = landed(settings, "a.jsonl")
    shutil.rmtree(settings.archive)
    with pytest.raises(WorkFailedError, match=r"a\.jsonl is loaded but.*archive.*writable"):
        archive_landed(settings, look_at(path))
    assert path.exists()


def test_a_file_that_is_gone_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match=r"a\.jsonl can't be read: No such file"):
        look_at(tmp_path / "a.jsonl")


def test_names_are_recorded_below_the_landing_folder_and_as_text(settings: Settings) -> None:
    assert recorded_name(settings, settings.landing / "sub" / "é.jsonl") == "sub/é.jsonl"
    assert recorded_name(settings, Path("/elsewhere/a.jsonl")) == "a.jsonl"
    assert recorded_name(settings, settings.landing / os.fsdecode(b"\xff.jsonl")) == r"\xff.jsonl"
