"""The environment is read once, checked, and explained where it is wrong."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from pipelines.errors import UserError
from pipelines.settings import Settings, child_environment, load_settings, now, parse_instant


def test_everything_has_a_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings({})
    assert settings.home == tmp_path / ".truelift"
    assert settings.catalog_url == f"{tmp_path}/.truelift/lake/catalog.sqlite"
    assert settings.data_path == f"{tmp_path}/.truelift/lake/data"
    assert settings.dagster_home == tmp_path / ".truelift" / "dagster"
    assert (settings.base_currency, settings.max_event_age_days, settings.memory_limit) == ("USD", 30, "2GB")
    assert load_settings(dict.fromkeys(_GOOD, "")) == settings, "empty is like absent"


_GOOD = {
    "TRUELIFT_HOME": "/tmp/home",
    "TRUELIFT_CATALOG": "postgresql://me:secret@db/lake",
    "TRUELIFT_DATA_PATH": "s3://bucket/lake",
    "DAGSTER_HOME": "/tmp/dagster",
    "TRUELIFT_BASE_CURRENCY": "EUR",
    "TRUELIFT_MAX_EVENT_AGE_DAYS": "365",
    "TRUELIFT_ATTRIBUTION_LOOKBACK_DAYS": "7",
    "TRUELIFT_LANDING_SETTLE_SECONDS": "0",
    "TRUELIFT_ARCHIVE_RETENTION_DAYS": "1",
    "TRUELIFT_SNAPSHOT_RETENTION_DAYS": "0",
    "TRUELIFT_SOURCE_DATA": f"/tmp/a{os.pathsep}/tmp/b{os.pathsep}",
    "TRUELIFT_THREADS": "3",
    "TRUELIFT_MEMORY_LIMIT": "1.5 GiB",
    "TRUELIFT_LOCK_TIMEOUT_SECONDS": "5",
    "TRUELIFT_COMPUTE_PRICE_PER_HOUR": "0.375",
    "TRUELIFT_ACTOR": "ann",
    "TRUELIFT_ALERT_WEBHOOK": "https://hooks.example/secret",
}


def test_every_variable_is_heard(tmp_path: Path) -> None:
    settings = load_settings(_GOOD)
    assert settings == Settings(
        home=Path("/tmp/home"),
        catalog_url="postgresql://me:secret@db/lake",
        data_path="s3://bucket/lake",
        dagster_home=Path("/tmp/dagster"),
        base_currency="EUR",
        max_event_age_days=365,
        attribution_lookback_days=7,
        landing_settle_seconds=0.0,
        archive_retention_days=1,
        snapshot_retention_days=0,
        source_folders=(Path("/tmp/a"), Path("/tmp/b")),
        threads=3,
        memory_limit="1.5 GiB",
        writer_lock_timeout_seconds=5.0,
        compute_price_per_hour=Decimal("0.375"),
        actor="ann",
        alert_webhook="https://hooks.example/secret",
    )
    assert not settings.has_sqlite_catalog


def test_secrets_are_not_shown() -> None:
    assert "secret" not in repr(load_settings(_GOOD))


def test_paths_are_made_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    names = ("TRUELIFT_HOME", "TRUELIFT_CATALOG", "TRUELIFT_DATA_PATH", "DAGSTER_HOME", "TRUELIFT_SOURCE_DATA")
    settings = load_settings({**dict.fromkeys(names, "~/x"), "DAGSTER_HOME": "y/../z"})
    whole = tmp_path / "me" / "x"
    assert (
        settings.home == Path(settings.catalog_url) == Path(settings.data_path) == settings.source_folders[0] == whole
    )
    assert settings.dagster_home == tmp_path / "z"
    assert settings.has_sqlite_catalog


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("TRUELIFT_BASE_CURRENCY", "euro", "ISO 4217"),
        ("TRUELIFT_MEMORY_LIMIT", "much", "2GB or 512MiB"),
        ("TRUELIFT_COMPUTE_PRICE_PER_HOUR", "-1", "such as 0.10"),
        ("TRUELIFT_COMPUTE_PRICE_PER_HOUR", "10 cents", "such as 0.10"),
        ("TRUELIFT_THREADS", "0", "from 1 to"),
        ("TRUELIFT_THREADS", "two", "whole number"),
        ("TRUELIFT_MAX_EVENT_AGE_DAYS", "-1", "from 1 to 100000"),
        ("TRUELIFT_MAX_EVENT_AGE_DAYS", "1000000", "from 1 to 100000"),
        ("TRUELIFT_LANDING_SETTLE_SECONDS", "1.5", "from 0 to"),
        ("TRUELIFT_HOME", "~nobody-of-that-name/x", "path of a folder"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_accepted(name: str, value: str, remedy: str) -> None:
    with pytest.raises(UserError) as caught:
        load_settings({name: value})
    assert name in caught.value.what
    assert repr(value) in caught.value.what
    assert remedy in caught.value.remedy


def test_a_path_that_leads_in_a_circle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(UserError, match=r"TRUELIFT_HOME is .*loop"):
        load_settings({"TRUELIFT_HOME": str(tmp_path / "loop" / "home")})


def test_a_home_that_can_not_be_made_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for home in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UserError, match=r"TRUELIFT_HOME .* can't be used: .*Point TRUELIFT_HOME"):
            load_settings({"TRUELIFT_HOME": str(home)}).prepare()


def test_the_key_of_a_home_is_made_once_and_for_its_owner_only(settings: Settings) -> None:
    key = settings.pii_key()
    assert len(key) == 64
    assert settings.pii_key() == key
    assert (settings.lake_dir / "pii.key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in settings.lake_dir.iterdir()] == ["pii.key"]


def test_a_given_key_goes_before_that_of_the_home(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUELIFT_PII_KEY", "given")
    assert settings.pii_key() == b"given"
    assert not (settings.lake_dir / "pii.key").exists()


def test_a_key_that_could_not_be_written_is_no_key(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            settings.pii_key()
    assert len(settings.pii_key()) == 64


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2025-06-30", datetime(2025, 6, 30, 23, 59, 59, tzinfo=UTC)),
        ("2025-06-30T12:00:00Z", datetime(2025, 6, 30, 12, tzinfo=UTC)),
        ("2025-06-30 12:00", datetime(2025, 6, 30, 12, tzinfo=UTC)),
        ("2025-06-30T12:00:00.5+02:00", datetime(2025, 6, 30, 10, 0, 0, 500_000, tzinfo=UTC)),
    ],
)
def test_an_instant_is_read_as_utc(text: str, instant: datetime) -> None:
    parsed = parse_instant(text)
    assert parsed == instant
    assert parsed.tzinfo == UTC


@pytest.mark.parametrize(
    "text", ["yesterday", "2025-02-30", "", "2025-06-30T25:00", "0001-01-01T00:00:00+23:00", "9999-12-31"]
)
def test_what_is_no_usable_instant_is_a_mistake(text: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_instant(text)
    assert repr(text) in caught.value.what


def test_now_has_a_zone() -> None:
    assert now().tzinfo == UTC


def test_a_child_works_in_the_same_homes(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUELIFT_BASE_CURRENCY", "EUR")
    monkeypatch.setenv("TRUELIFT_HOME", "/elsewhere")
    environment = child_environment(settings)
    assert environment["TRUELIFT_HOME"] == str(settings.home)
    assert environment["DAGSTER_HOME"] == str(settings.dagster_home)
    assert environment["TRUELIFT_BASE_CURRENCY"] == "EUR"
