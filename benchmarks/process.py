"""Runs work in a child process of its own and measures the whole of it: time, processor time and peak memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.errors import WorkFailedError
from pipelines.settings import PROJECT_DIR

_MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024
_TAIL_LINES = 15


@dataclass(frozen=True)
class Finished:
    """A child that ended well: ``seconds`` from its start to its end, so with the interpreter's start-up and imports."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    output: str


def run_python(arguments: Sequence[str], environment: Mapping[str, str]) -> Finished:
    """Run the Python of this environment in the project's folder and wait for it.

    Raises WorkFailedError with the end of what it said when it exits with anything but 0.
    """
    # Where Python may not keep what it has compiled, every start would cost seconds that no installation pays.
    environment = {name: value for name, value in environment.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as complained:
        started = time.perf_counter()
        child = subprocess.Popen(
            [sys.executable, *arguments], cwd=PROJECT_DIR, env=environment, stdout=said, stderr=complained
        )
        try:
            # Not child.wait(): only wait4 tells what this one child, and no other, has used.
            _, status, usage = os.wait4(child.pid, 0)
        except BaseException:
            child.kill()
            raise
        seconds = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        complained.seek(0)
        output = said.read()
        if child.returncode != 0:
            tail = "\n".join((output + complained.read()).splitlines()[-_TAIL_LINES:])
            raise WorkFailedError(f"{arguments[:3]} ended with {child.returncode}:\n{tail}")
    return Finished(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * _MAXRSS_BYTES, output)


def run_job(name: str, environment: Mapping[str, str], **inputs: object) -> tuple[Finished, Any]:
    """Run a function of :mod:`benchmarks.jobs` in a child; returns its measures and what it gave back."""
    finished = run_python(["-m", "benchmarks.jobs", name, json.dumps(inputs)], environment)
    return finished, json.loads(finished.output.splitlines()[-1])


def run_truelift(environment: Mapping[str, str], *arguments: str) -> Finished:
    """Run the command line as its console script does."""
    return run_python(["-c", "from pipelines.cli import main; main()", *arguments], environment)
