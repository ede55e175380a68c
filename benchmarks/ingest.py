"""What the rules cost: a million lines taken in, against DuckDB parsing the same files into the same columns."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.bench import Bench
from benchmarks.homes import NEXT, Home
from benchmarks.process import run_job
from benchmarks.results import Figure, Result, Target, figure

_MOST = 2.5


def measure(bench: Bench) -> Result:
    """Take turns: the floor, an empty lake, a lake that holds a day already."""
    bench.say("preparing")
    day, stored = bench.day(1_000_000, customers=200_000, seed=8), bench.full_day
    files = [str(path) for path in sorted(bench.scratch.events(day).glob("*.jsonl"))]
    full = bench.scratch.lake(stored)
    floor, empty, onto = "floor", "into an empty lake", f"into a lake with {stored.events:,} events"
    rounds: list[dict[str, _Sample]] = []
    for repetition in range(bench.repetitions):
        sample: dict[str, _Sample] = {}
        with bench.scratch.empty() as home:
            sample[floor] = _sample("floor", home, files=files, out=str(home.path / "floor.parquet"))
        with bench.scratch.empty() as home:
            sample[empty] = _sample("ingest", home, files=files, as_of=NEXT)
        with bench.scratch.fork(full) as home:
            sample[onto] = _sample("ingest", home, files=files, as_of=NEXT)
        rounds.append(sample)
        bench.say(f"round {repetition + 1}: " + ", ".join(f"{name} {each['s']:.2f} s" for name, each in sample.items()))
    ratios = [
        figure(f"{name} ÷ floor of the same round", "×", [sample[name]["s"] / sample[floor]["s"] for sample in rounds])
        for name in (empty, onto)
    ]
    return Result(
        benchmark="ingest",
        figures=(*_figures(rounds, "s"), *ratios, *_figures(rounds, "processor s"), *_figures(rounds, "peak MiB")),
        targets=tuple(Target(f"{each.name} (median)", "×", each.median, _MOST) for each in ratios),
    )


_Sample = Mapping[str, float]
"""One measurement by unit: the seconds of the work itself, and what its whole process used."""


def _sample(job: str, home: Home, **inputs: object) -> _Sample:
    finished, found = run_job(job, home.environment, **inputs)
    return {"s": found["seconds"], "processor s": finished.cpu_seconds, "peak MiB": finished.peak_bytes / 2**20}


def _figures(rounds: list[dict[str, _Sample]], unit: str) -> list[Figure]:
    return [figure(name, unit, [sample[name][unit] for sample in rounds]) for name in rounds[0]]
