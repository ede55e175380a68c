"""How many event lines the simulator writes per second, references and truth included."""

from __future__ import annotations

import shutil

from benchmarks.bench import Bench
from benchmarks.results import Result, Target, figure

_LEAST_PER_SECOND = 200_000


def measure(bench: Bench) -> Result:
    """Write the same million events again and again."""
    day, folder = bench.day(1_000_000, customers=200_000), bench.scratch.folder / "simulated"
    seconds, peaks = [], []
    for repetition in range(bench.repetitions):
        finished, found = bench.scratch.simulate(day, folder)
        shutil.rmtree(folder)
        seconds.append(found["seconds"])
        peaks.append(finished.peak_bytes / 2**20)
        bench.say(f"repetition {repetition + 1}: {day.events / found['seconds']:,.0f} events/s")
    rates = [day.events / each for each in seconds]
    speed = figure("speed", "events/s", rates)
    return Result(
        benchmark="simulator",
        figures=(figure(f"{day.events:,} events written", "s", seconds), speed, figure("peak memory", "MiB", peaks)),
        targets=(Target("speed (median)", "events/s", speed.median, _LEAST_PER_SECOND, at_least=True),),
    )
