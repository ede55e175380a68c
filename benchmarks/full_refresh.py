"""Everything built anew over a quarter of many campaigns: where cost that grows with groups and days would show."""

from __future__ import annotations

from benchmarks.bench import Bench
from benchmarks.results import Result, Target, figure

_MOST_SECONDS = 90.0
_SHOWN_NODES = 12


def measure(bench: Bench) -> Result:
    """Take in the company's days, then build, audit and publish; once, because it takes minutes."""
    company = bench.quarter
    bench.say(f"simulating {company.events:,} events of {company.days} days")
    bench.scratch.events(company)
    bench.say("ingest, build, audit and publish")
    finished, found = bench.scratch.build_lake(company)
    phases, nodes = found["phases"], sorted(found["nodes"].items(), key=lambda node: -node[1])
    refresh = figure("full refresh: build, audit, publish", "s", [sum(phases.values()) - phases["ingest"]])
    return Result(
        benchmark="full_refresh",
        figures=(
            refresh,
            *(figure(phase, "s", [seconds]) for phase, seconds in phases.items()),
            figure("peak memory of the process", "GiB", [finished.peak_bytes / 2**30]),
        ),
        targets=(Target("full refresh", "s", refresh.median, _MOST_SECONDS),),
        profile=tuple(nodes[:_SHOWN_NODES]),
    )
