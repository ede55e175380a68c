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
    figures: list[Figure] = []
    targets: list[Target] = []
    for span, lake in lakes.items():
        bench.say(f"asking the lake of a {span}")
        _ask(span, lake, max(_LEAST_RUNS, bench.repetitions), figures, targets)
    return Result(benchmark="queries", figures=tuple(figures), targets=tuple(targets))


def _ask(span: str, lake: Home, runs: int, figures: list[Figure], targets: list[Target]) -> None:
    _, found = run_job("query", lake.environment, runs=runs)
    asked, pages = (
        [figure(f"{span}: {name}", "ms", times) for name, times in found[kind].items()] for kind in ("queries", "pages")
    )
    slowest, page = (max(each, key=lambda one: one.p95 or 0) for each in (asked, pages))
    figures += [
        *asked,
        *pages,
        figure(f"{span}: opening a connection", "ms", found["opening"]),
        figure(f"{span}: first query of a new connection", "ms", found["first"]),
    ]
    targets += [
        Target(f"p95 of the slowest ({slowest.name})", "ms", slowest.p95 or 0, _MOST_MILLISECONDS),
        Target(f"p95 of the slowest page ({page.name})", "ms", page.p95 or 0, _MOST_OF_A_PAGE),
    ]
