"""What is wrong with a set-up, and how to mend it."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from pipelines.errors import TrueliftError
from pipelines.lake.connection import ALIAS, Lake, connect
from pipelines.settings import PROJECT_DIR, Settings

_FREE_BYTES = 2 << 30


@dataclass(frozen=True)
class Finding:
    """One examined thing: whether it is in order, what was seen and, where it is not, the remedy."""

    name: str
    is_good: bool
    seen: str
    remedy: str = ""


def examine(settings: Settings) -> Iterator[Finding]:
    """Examine the installation, the home and the lake, one finding at a time; writes nothing but a probe file."""
    for check in (_python, _packages, _project, _home, _disk, _extensions, _lake, _landing, _alerts):
        yield _guarded(check, settings)


def _guarded(check: Callable[[Settings], Finding], settings: Settings) -> Finding:
    try:
        return check(settings)
    except TrueliftError as error:
        return Finding(check.__name__.strip("_"), False, error.what, error.remedy)
    except (duckdb.Error, OSError, ImportError) as error:
        seen = str(error).strip().splitlines()[0]
        return Finding(check.__name__.strip("_"), False, seen, "Mend what is named above first, then run this again.")


def _python(_: Settings) -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    return Finding("python", sys.version_info >= (3, 11), version, "Install Python 3.11 or newer.")


def _packages(_: Settings) -> Finding:
    versions = {name: importlib.metadata.version(name) for name in ("duckdb", "dbt-core", "dagster")}
    extension = importlib.metadata.version("duckdb-extension-ducklake")
    return Finding(
        "packages",
        extension == versions["duckdb"] and versions["dbt-core"].startswith("1.11."),
        ", ".join(f"{name} {version}" for name, version in versions.items()) + f", ducklake {extension}",
        "Run `make setup`: it installs the versions that fit together.",
    )


def _project(_: Settings) -> Finding:
    path = PROJECT_DIR / "dbt_project" / "dbt_project.yml"
    return Finding("dbt project", path.exists(), str(path), "Install from a checkout of the repository (`make setup`).")


def _home(settings: Settings) -> Finding:
    settings.prepare()
    unwritable = [folder for folder in settings.folders if not os.access(folder, os.W_OK)]
    return Finding(
        "home",
        not unwritable,
        f"{settings.home}" + "".join(f"; {folder} can't be written" for folder in unwritable),
        "Give yourself the right to write there, or set TRUELIFT_HOME.",
    )


def _disk(settings: Settings) -> Finding:
    free = shutil.disk_usage(settings.home).free
    return Finding(
        "disk", free > _FREE_BYTES, f"{free / (1 << 30):.1f} GiB free", "Free space, or run `truelift maintain`."
    )


def _extensions(settings: Settings) -> Finding:
    with connect(settings) as connection:
        rows = connection.execute("select extension_name from duckdb_extensions() where loaded order by 1").fetchall()
    return Finding("duckdb extensions", True, ", ".join(name for (name,) in rows))


def _lake(settings: Settings) -> Finding:
    if settings.has_sqlite_catalog and not Path(settings.catalog_url).exists():
        return Finding("lake", True, "none yet; the first run creates it")
    with Lake(settings).reader() as connection:
        row = connection.execute(f"select count(*) from {ALIAS}.ops.load_log").fetchone()
        kind = "SQLite" if settings.has_sqlite_catalog else "Postgres"
        try:
            connection.execute(f"select event_id from {ALIAS}.raw.events limit 1").fetchall()
        except duckdb.Error as error:
            return Finding(
                "lake", False, f"data files can't be read: {error}", "Restore TRUELIFT_DATA_PATH from your backup."
            )
    return Finding("lake", True, f"{kind} catalog, {row[0] if row else 0} loads, data in {settings.data_path}")


def _landing(settings: Settings) -> Finding:
    waiting = sum(1 for path in settings.landing.rglob("*") if path.is_file())
    return Finding("landing", True, f"{waiting} files wait in {settings.landing}")


def _alerts(settings: Settings) -> Finding:
    return Finding("alerts", True, "posted to a webhook" if settings.alert_webhook else "logged only (no webhook set)")
