"""A landed batch of five minutes, from the landing folder to the published marts, on a large and on a small lake."""

from __future__ import annotations

from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.homes import NEXT, Home
from benchmarks.process import run_job, run_truelift
from benchmarks.results import Result, Target, figure

_MINUTES = 5
_EVENTS = 35_000
_MOST_SECONDS = 20.0
_MOST_RATIO = 1.3
_SHOWN_NODES = 15


def measure(bench: Bench) -> Result:
    """Take turns between the two lakes, each time as they were; the last run of all is taken apart."""
    bench.say("preparing")
    batch = bench.scratch.batch(bench.full_day, events=bench.scaled(_EVENTS), minutes=_MINUTES)
    lakes = {f"onto {day.events:,} events": bench.scratch.lake(day) for day in (bench.full_day, bench.small_day)}
    onto_full, onto_small = lakes
    seconds: dict[str, list[float]] = {name: [] for name in lakes}
    processor: dict[str, list[float]] = {name: [] for name in lakes}
    peaks: dict[str, list[float]] = {name: [] for name in lakes}
    for repetition in range(bench.repetitions):
        for name, lake in lakes.items():
            with bench.scratch.fork(lake) as home:
                home.land(batch)
                finished = run_truelift(home.environment, "run", "--real-time", "--as-of", NEXT)
            seconds[name].append(finished.seconds)
            processor[name].append(finished.cpu_seconds)
            peaks[name].append(finished.peak_bytes / 2**20)
            bench.say(f"round {repetition + 1}: {name} {finished.seconds:.2f} s")
    ratio = figure("ratio of the two in one round", "×", [a / b for a, b in zip(*seconds.values(), strict=True)])
    onto = [figure(name, "s", samples) for name, samples in seconds.items()]
    profiles = [(name, part, taken) for name, lake in lakes.items() for part, taken in _parts(bench, lake, batch)]
    return Result(
        benchmark="batch",
        figures=(
            *onto,
            ratio,
            *(figure(name, "processor s", samples) for name, samples in processor.items()),
            *(figure(name, "peak MiB", samples) for name, samples in peaks.items()),
        ),
        targets=(
            Target(f"{onto_full} (median)", "s", onto[0].median, _MOST_SECONDS),
            Target(f"{onto_full} ÷ {onto_small} (median)", "×", ratio.median, _MOST_RATIO),
        ),
        profile=tuple((f"{name}: {part}", taken) for name, part, taken in profiles),
    )


def _parts(bench: Bench, lake: Home, batch: Path) -> list[tuple[str, float]]:
    """The seconds of one more run by phase, and those of its costliest dbt nodes."""
    with bench.scratch.fork(lake) as home:
        home.land(batch)
        finished, found = run_job("run", home.environment, as_of=NEXT, real_time=True)
    phases: dict[str, float] = found["phases"]
    nodes = sorted(found["nodes"].items(), key=lambda node: -float(node[1]))
    start_up = finished.seconds - sum(phases.values())
    return [
        ("start-up and end", start_up),
        *phases.items(),
        ("all dbt nodes", sum(found["nodes"].values())),
        *nodes[:_SHOWN_NODES],
    ]
