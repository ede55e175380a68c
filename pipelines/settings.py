"""The only reader of the environment and of the clock.

Everything else receives a :class:`Settings` value or an instant; so a run is a function of its inputs.
"""

from __future__ import annotations

import getpass
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from pipelines.errors import UserError

PROJECT_DIR = Path(__file__).resolve().parents[1]

_YEARS = range(1970, 3000)
_LARGEST_NUMBER = 100_000
"""Of days and seconds: any date less so many days is still a date."""


@dataclass(frozen=True)
class Settings:
    """Where Truelift lives and by which rules it works. Build one with :func:`load_settings`."""

    home: Path
    catalog_url: str = field(repr=False)
    data_path: str
    dagster_home: Path
    base_currency: str = "USD"
    max_event_age_days: int = 30
    future_tolerance_minutes: int = 5
    replace_window_minutes: int = 5
    late_after_hours: int = 24
    attribution_lookback_days: int = 30
    landing_settle_seconds: float = 2.0
    archive_retention_days: int = 30
    snapshot_retention_days: int = 7
    source_folders: tuple[Path, ...] = ()
    threads: int = 2
    memory_limit: str = "2GB"
    writer_lock_timeout_seconds: float = 600.0
    compute_price_per_hour: Decimal = Decimal("0.10")
    actor: str = ""
    alert_webhook: str = field(default="", repr=False)

    @property
    def landing(self) -> Path:
        """Folder in which producers drop event and reference files."""
        return self.home / "landing"

    @property
    def archive(self) -> Path:
        """Landed files after their load was committed."""
        return self.home / "archive"

    @property
    def inbox(self) -> Path:
        """Folder for requests of other tools."""
        return self.home / "inbox"

    @property
    def lake_dir(self) -> Path:
        """Folder of the local catalog, its writer lock and, by default, the data files."""
        return self.home / "lake"

    @property
    def exports(self) -> Path:
        """Folder of the artifacts that other tools read."""
        return self.home / "exports"

    @property
    def models(self) -> Path:
        """Folder of the trained models, each under the hash of its bytes."""
        return self.home / "models"

    @property
    def data_docs(self) -> Path:
        """Folder of the page that shows every quality check and what it found."""
        return self.home / "data_docs"

    @property
    def logs(self) -> Path:
        """Folder of log files and of dbt's target artifacts."""
        return self.home / "logs"

    @property
    def operations_log(self) -> Path:
        """What the platform ran and how it answered, until a run takes it into the lake."""
        return self.logs / "operations.sqlite"

    @property
    def has_sqlite_catalog(self) -> bool:
        """Whether the catalog is a local SQLite file (one writing process at a time)."""
        return not self.catalog_url.startswith("postgres")

    @property
    def folders(self) -> tuple[Path, ...]:
        """Every folder that must exist before work begins."""
        return (
            self.landing,
            self.archive,
            self.inbox,
            self.lake_dir,
            self.models,
            self.exports,
            self.dagster_home,
            self.logs,
        )

    def prepare(self) -> Settings:
        """Create the folders; return self. Raises UserError when the home can't be written."""
        try:
            for folder in self.folders:
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"TRUELIFT_HOME {self.home} can't be used: {error.strerror or error}.",
                "Point TRUELIFT_HOME at a folder that you may write to.",
            ) from error
        return self

    def pii_key(self) -> bytes:
        """Key of the hash that replaces personal user ids: TRUELIFT_PII_KEY, else one made once per home.

        Changing it breaks the link between a replaced user's old and new events.
        """
        given = os.environ.get("TRUELIFT_PII_KEY", "")
        if given:
            return given.encode()
        path = self.lake_dir / "pii.key"
        if not path.exists():
            _make_key(path)
        return path.read_bytes()


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment (``TRUELIFT_*``, see README).

    Raises UserError naming the variable, its value and what is accepted.
    """
    env = os.environ if environment is None else environment
    home = _path("TRUELIFT_HOME", env.get("TRUELIFT_HOME") or ".truelift")
    currency = env.get("TRUELIFT_BASE_CURRENCY") or "USD"
    if not re.fullmatch("[A-Z]{3}", currency):
        raise UserError(f"TRUELIFT_BASE_CURRENCY is {currency!r}.", "Give an ISO 4217 code such as USD.")
    memory = env.get("TRUELIFT_MEMORY_LIMIT") or "2GB"
    if not re.fullmatch(r"\d+(\.\d+)?\s?([KMGT]i?B)", memory):
        raise UserError(f"TRUELIFT_MEMORY_LIMIT is {memory!r}.", "Give a size such as 2GB or 512MiB.")
    price = env.get("TRUELIFT_COMPUTE_PRICE_PER_HOUR") or "0.10"
    if not re.fullmatch(r"\d{1,6}(\.\d{1,6})?", price):
        raise UserError(f"TRUELIFT_COMPUTE_PRICE_PER_HOUR is {price!r}.", "Give an amount such as 0.10.")
    return Settings(
        home=home,
        catalog_url=_path_or_url("TRUELIFT_CATALOG", env.get("TRUELIFT_CATALOG") or f"{home}/lake/catalog.sqlite"),
        data_path=_path_or_url("TRUELIFT_DATA_PATH", env.get("TRUELIFT_DATA_PATH") or f"{home}/lake/data"),
        dagster_home=_path("DAGSTER_HOME", env.get("DAGSTER_HOME") or f"{home}/dagster"),
        base_currency=currency,
        max_event_age_days=_integer(env, "TRUELIFT_MAX_EVENT_AGE_DAYS", 30, minimum=1),
        attribution_lookback_days=_integer(env, "TRUELIFT_ATTRIBUTION_LOOKBACK_DAYS", 30, minimum=1),
        landing_settle_seconds=float(_integer(env, "TRUELIFT_LANDING_SETTLE_SECONDS", 2, minimum=0)),
        archive_retention_days=_integer(env, "TRUELIFT_ARCHIVE_RETENTION_DAYS", 30, minimum=0),
        snapshot_retention_days=_integer(env, "TRUELIFT_SNAPSHOT_RETENTION_DAYS", 7, minimum=0),
        source_folders=tuple(
            _path("TRUELIFT_SOURCE_DATA", folder)
            for folder in (env.get("TRUELIFT_SOURCE_DATA") or f"{home}/sources{os.pathsep}../shared/data").split(
                os.pathsep
            )
            if folder
        ),
        threads=_integer(env, "TRUELIFT_THREADS", min(os.cpu_count() or 1, 8), minimum=1),
        memory_limit=memory,
        writer_lock_timeout_seconds=float(_integer(env, "TRUELIFT_LOCK_TIMEOUT_SECONDS", 600, minimum=0)),
        compute_price_per_hour=Decimal(price),
        actor=env.get("TRUELIFT_ACTOR") or _login(),
        alert_webhook=env.get("TRUELIFT_ALERT_WEBHOOK", ""),
    )


def child_environment(settings: Settings) -> dict[str, str]:
    """The environment of a process that works in the same homes, wherever it is started."""
    return {**os.environ, "TRUELIFT_HOME": str(settings.home), "DAGSTER_HOME": str(settings.dagster_home)}


def now() -> datetime:
    """The present instant in UTC: the default ``as_of`` of a run, read once at its entry point."""
    return datetime.now(UTC)


def parse_instant(text: str) -> datetime:
    """An ISO-8601 instant given by a person; a date alone means the end of that UTC day, no zone means UTC."""
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            instant = datetime.fromisoformat(text).replace(hour=23, minute=59, second=59)
        else:
            instant = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(f"{text!r} is not an instant.", "Write it as 2025-06-30 or 2025-06-30T12:00:00Z.") from None
    if instant.year not in _YEARS:
        raise UserError(f"{text!r} lies too far away.", f"Give a year from {_YEARS.start} to {_YEARS.stop - 1}.")
    return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)


def _login() -> str:
    """Name of the user of this process; empty in a container that knows none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def _make_key(path: Path) -> None:
    """Write a new key, whole or not at all: an empty one, which a full disk would leave, keeps nothing secret."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(secrets.token_hex(32))
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def _path_or_url(name: str, text: str) -> str:
    is_url = "://" in text or text.startswith("postgres")
    return text if is_url else str(_path(name, text))


def _path(name: str, text: str) -> Path:
    try:
        return Path(text).expanduser().resolve()
    except (RuntimeError, OSError) as error:
        raise UserError(f"{name} is {text!r}: {error}.", "Give the path of a folder.") from None


def _integer(env: Mapping[str, str], name: str, default: int, *, minimum: int) -> int:
    text = env.get(name) or str(default)
    if not re.fullmatch(r"\d{1,6}", text) or not minimum <= int(text) <= _LARGEST_NUMBER:
        raise UserError(f"{name} is {text!r}.", f"Give a whole number from {minimum} to {_LARGEST_NUMBER}.")
    return int(text)
