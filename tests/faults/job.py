"""A whole run in a process of its own that says which phase it has reached: made to be killed.

Started as ``python -m tests.faults.job HOME AS_OF [LAST_PHASE]``; prints the name of each phase as it begins.
"""

from __future__ import annotations

import sys

from pipelines.lake.connection import Lake
from pipelines.run import refresh, take_landing
from pipelines.settings import load_settings, now, parse_instant

PHASES = ("ingest", "build", "audit", "publish")


def say(phase: str) -> None:
    """Tell whoever waits for this phase that it begins."""
    print(phase, flush=True)


def main(home: str, as_of: str, last_phase: str = "publish") -> None:
    """The job of ``truelift run``, or its first phases only."""
    import dbt.cli.main  # noqa: F401 - so that phases last as long as their work

    import quality.validation  # noqa: F401

    environment = {"TRUELIFT_HOME": home, "TRUELIFT_LANDING_SETTLE_SECONDS": "0"}
    lake, instant = Lake(load_settings(environment).prepare()), parse_instant(as_of)
    say("ingest")
    take_landing(lake, as_of=instant, at=now())
    if last_phase != "ingest":
        refresh(lake, as_of=instant, at=now(), on_phase=say)
    say("end")


if __name__ == "__main__":
    main(*sys.argv[1:])
