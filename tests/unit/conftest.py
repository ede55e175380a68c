"""The command line in this process, as a program that reads its output sees it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from pipelines.cli import main
from pipelines.settings import Settings


@dataclass(frozen=True)
class Outcome:
    """What a command printed and the code it ended with."""

    code: int
    out: str
    err: str


Truelift = Callable[..., Outcome]


@pytest.fixture
def truelift(settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Truelift:
    """Runs ``truelift`` with the given arguments in the home of the test; fails when a stack trace is printed."""
    monkeypatch.setenv("TRUELIFT_HOME", str(settings.home))
    monkeypatch.setenv("TRUELIFT_LANDING_SETTLE_SECONDS", "0")

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["truelift", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return Outcome(code, printed.out, printed.err)

    return run
