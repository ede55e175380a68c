"""One writer at a time: an operating-system lock beside a SQLite catalog, an advisory lock in a Postgres one."""

from __future__ import annotations

import fcntl
import importlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipelines.errors import UserError, WorkFailedError

_POLL_SECONDS = 0.1
_ADVISORY_KEY = 0x7472_7565_6C69_6674
"""The letters of "truelift": the key under which Postgres knows the lock."""
_held: dict[str, int] = {}


@contextmanager
def file_lock(path: Path, timeout_seconds: float) -> Iterator[None]:
    """Hold the exclusive lock on ``path`` for the block; re-entrant within one process.

    The kernel drops it when the process ends, however it ends, so a killed writer never blocks the next.
    Raises WorkFailedError naming the holder when it is not free within ``timeout_seconds``.
    """
    with _reentrant(str(path)) as is_held:
        if is_held:
            yield
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+") as file:
            _wait(lambda: _try_file(file.fileno()), timeout_seconds, lambda: f"pid {path.read_text() or 'unknown'}")
            file.seek(0)
            file.truncate()
            file.write(str(os.getpid()))
            file.flush()
            try:
                yield
            finally:
                fcntl.flock(file.fileno(), fcntl.LOCK_UN)


@contextmanager
def postgres_lock(url: str, timeout_seconds: float) -> Iterator[None]:
    """Hold the lake's advisory lock in the catalog's database for the block; re-entrant within one process.

    The server drops it when the connection ends, however it ends. Raises UserError without psycopg2, WorkFailedError
    when the database can't be reached or another deployment holds the lock for ``timeout_seconds``.
    """
    with _reentrant(url) as is_held:
        if is_held:
            yield
            return
        connection = _connect_postgres(url)
        try:
            connection.autocommit = True
            cursor = connection.cursor()
            _wait(lambda: _try_advisory(cursor), timeout_seconds, lambda: "of another machine or container")
            yield
        finally:
            connection.close()


@contextmanager
def _reentrant(name: str) -> Iterator[bool]:
    """Count the holders of this process; gives whether there was one before."""
    count = _held.get(name, 0)
    _held[name] = count + 1
    try:
        yield count > 0
    finally:
        _held[name] -= 1


def _wait(attempt: Callable[[], bool], timeout_seconds: float, holder: Callable[[], str]) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not attempt():
        if time.monotonic() >= deadline:
            raise WorkFailedError(
                f"Another process ({holder()}) has been writing to the lake for {timeout_seconds:.0f} s.",
                "Wait for it to end, or raise TRUELIFT_LOCK_TIMEOUT_SECONDS.",
            )
        time.sleep(_POLL_SECONDS)


def _try_file(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _try_advisory(cursor: Any) -> bool:
    cursor.execute("select pg_try_advisory_lock(%s)", (_ADVISORY_KEY,))
    return bool(cursor.fetchone()[0])


def _connect_postgres(url: str) -> Any:
    try:
        psycopg2 = importlib.import_module("psycopg2")
    except ImportError:
        raise UserError("A Postgres catalog needs psycopg2.", "Install the extra truelift[postgres].") from None
    try:
        return psycopg2.connect(url)
    except psycopg2.OperationalError as error:
        # The driver repeats host and user, never the password.
        raise WorkFailedError(
            f"The Postgres catalog can't be reached: {str(error).strip()}", "Check TRUELIFT_CATALOG and the server."
        ) from None
