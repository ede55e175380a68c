"""How long a reader waits: typical queries of every published view, and metric pages, of lakes that hold ten million events."""

from __future__ import annotations

from benchmarks.bench import Bench
from benchmarks.homes import Home
from benchmarks.process import run_job
from benchmarks.results import Figure, Result, Target, figure

_LEAST_RUNS = 50
_MOST_MILLISECONDS = 100.0
_MOST_OF_A_PAGE = 50.0


def measure(bench: Bench) -> Result:
    """Ask everything in rounds over one open connection; then open a connection for one query, again and again."""
    bench.say("preparing")
    lakes = {"day": bench.scratch.lake(bench.full_day), "quarter": bench.scratch.lake(bench.quarter)}
    asked = []
    for span, lake in lakes.items():
        bench.say(f"asking the lake of a {span}")
        asked.append(_ask(span, lake, max(_LEAST_RUNS, bench.repetitions)))
    return Result(
        benchmark="queries",
        figures=tuple(each for figures, _ in asked for each in figures),
        targets=tuple(each for _, targets in asked for each in targets),
    )


def _ask(span: str, lake: Home, runs: int) -> tuple[list[Figure], list[Target]]:
    """The figures of one lake, named after its span, and their targets."""
    _, found = run_job("query", lake.environment, runs=runs)
    queries, pages = (
        [figure(f"{span}: {name}", "ms", times) for name, times in found[kind].items()] for kind in ("queries", "pages")
    )
    slowest, page = (max(each, key=lambda one: one.p95 or 0) for each in (queries, pages))
    return [
        *queries,
        *pages,
        figure(f"{span}: opening a connection", "ms", found["opening"]),
        figure(f"{span}: first query of a new connection", "ms", found["first"]),
    ], [
        Target(f"p95 of the slowest ({slowest.name})", "ms", slowest.p95 or 0, _MOST_MILLISECONDS),
        Target(f"p95 of the slowest page ({page.name})", "ms", page.p95 or 0, _MOST_OF_A_PAGE),
    ]
