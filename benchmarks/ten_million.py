"""A whole day at the founding specification's scale: ingest, all marts, audit and publish by one process."""

from __future__ import annotations

from benchmarks.bench import Bench
from benchmarks.results import Result, Target, figure

_MOST_GIB = 4.0
_SHOWN_NODES = 12


def measure(bench: Bench) -> Result:
    """Run it once, because it takes minutes and its spread matters less than its memory; leaves the lake for others."""
    day = bench.full_day
    bench.say(f"simulating {day.events:,} events")
    bench.scratch.events(day)
    bench.say("ingest, build, audit and publish")
    finished, found = bench.scratch.build_lake(day)
    peak = figure("peak memory of the process", "GiB", [finished.peak_bytes / 2**30])
    phases, nodes = found["phases"], sorted(found["nodes"].items(), key=lambda node: -node[1])
    return Result(
        benchmark="ten_million",
        figures=(
            figure("landing to published, start-up included", "s", [finished.seconds]),
            *(figure(phase, "s", [seconds]) for phase, seconds in phases.items()),
            figure("ingest", "events/s", [found["events"] / phases["ingest"]]),
            figure("whole process", "processor s", [finished.cpu_seconds]),
            peak,
        ),
        targets=(Target("peak memory", "GiB", peak.median, _MOST_GIB),),
        profile=tuple(nodes[:_SHOWN_NODES]),
    )
