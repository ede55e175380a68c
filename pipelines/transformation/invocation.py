"""Invokes dbt inside this process.

In process, because importing dbt costs two seconds, which a subprocess would pay on every build; and because the writer
lock, which is re-entrant within a process, then needs no handshake. For the same two seconds dbt is imported when it is
first invoked, not with this module.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import DISK_FULL, FREE_SPACE, WorkFailedError, is_disk_full
from pipelines.settings import PROJECT_DIR, Settings

DBT_PROJECT = PROJECT_DIR / "dbt_project"

STATUS = {"success": "passed", "pass": "passed", "warn": "warned", "skipped": "skipped"}
"""dbt's words for the outcome of a node to ours; any other is ``failed``."""

_CACHE = "partial_parse.msgpack"
"""dbt's cache of what it parsed, in its target folder."""

_NODE_ENDED = ("LogModelResult", "LogTestResult", "LogSeedResult", "LogNodeResult")


@dataclass(frozen=True)
class Progress:
    """A node that has just ended, as the ``done``-th of ``total``."""

    done: int
    total: int
    name: str
    status: str
    seconds: float


def target_folder(settings: Settings) -> Path:
    """Where dbt keeps its artifacts and its log."""
    return settings.logs / "dbt"


def parse(settings: Settings, *, write_json: bool = False) -> Any:
    """The manifest of dbt, read from its cache where the project has not changed; opens no connection.

    A new home takes over the cache of this installation, for parsing everything takes five seconds; dbt itself sees
    whether it still holds. With ``write_json`` the manifest is also written to ``manifest.json`` in the target folder,
    for Dagster.
    """
    own, shared = target_folder(settings) / _CACHE, DBT_PROJECT / "target" / "lake" / _CACHE
    if not own.exists():
        _copy(shared, own)
    manifest = _invoke(settings, ["parse"], write_json=write_json)
    if own.exists() and (not shared.exists() or shared.stat().st_mtime_ns < own.stat().st_mtime_ns):
        _copy(own, shared)
    return manifest


def run(
    settings: Settings,
    arguments: Sequence[str],
    manifest: Any,
    on_progress: Callable[[Progress], None] | None = None,
) -> Sequence[Any]:
    """The results of the nodes of one dbt command; raises WorkFailedError when dbt can't run at all."""
    nodes: Sequence[Any] = _invoke(settings, arguments, manifest, on_progress).results
    return nodes


def _invoke(
    settings: Settings,
    arguments: Sequence[str],
    manifest: Any = None,
    on_progress: Callable[[Progress], None] | None = None,
    *,
    write_json: bool = False,
) -> Any:
    from dbt.cli.main import dbtRunner  # noqa: PLC0415 - see above

    folder = str(target_folder(settings))
    options = ["--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT)]
    options += ["--target-path", folder, "--log-path", folder]
    options += ["--log-level", "none", "--log-level-file", "info", "--no-use-colors"]
    options += ["--write-json" if write_json else "--no-write-json"]
    errors: list[str] = []
    runner = dbtRunner(manifest=manifest, callbacks=[_listener(on_progress, errors)])
    try:
        outcome = runner.invoke([*arguments, *options])
    finally:
        _close_connection()
    if outcome.result is None or outcome.exception is not None:
        reason = str(outcome.exception or "\n".join(errors) or "it gave no reason").strip()
        if is_disk_full(reason):
            raise WorkFailedError(f"{DISK_FULL}: {reason}.", FREE_SPACE)
        raise WorkFailedError(f"dbt could not run: {reason}", "See logs/dbt/dbt.log below TRUELIFT_HOME.")
    return outcome.result


def _copy(cache: Path, target: Path) -> None:
    """Copy a cache where there is one and its copy may be written; without it everything is parsed."""
    unfinished = target.with_name(f"{target.name}.{os.getpid()}")
    with suppress(OSError):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(cache, unfinished)
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)  # what a full disk left of it


def _listener(on_progress: Callable[[Progress], None] | None, errors: list[str]) -> Callable[[Any], None]:
    """Hears dbt's events: the end of each node goes to ``on_progress``, errors to ``errors``."""

    def hear(event: Any) -> None:
        if event.info.level == "error":
            errors.append(event.info.msg)
        if on_progress is not None and event.info.name in _NODE_ENDED:
            data = event.data
            total = getattr(data, "total", 0) or getattr(data, "num_models", 0)
            status = STATUS.get(data.node_info.node_status, "failed")
            on_progress(Progress(data.index, total, data.node_info.node_name, status, data.execution_time))

    return hear


def _close_connection() -> None:
    """Close dbt's DuckDB, which would otherwise stay open, with its memory, until the process ends."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager  # noqa: PLC0415 - see above

    environment: Any = DuckDBConnectionManager._ENV
    if environment is not None:
        environment.close()
        DuckDBConnectionManager._ENV = None
