"""How long a reader waits: typical queries of every published view, and metric pages, of a lake that holds a whole day."""

from __future__ import annotations

from benchmarks.bench import Bench
from benchmarks.process import run_job
from benchmarks.results import Result, Target, figure

_LEAST_RUNS = 50
_MOST_MILLISECONDS = 100.0
_MOST_OF_A_PAGE = 50.0


def measure(bench: Bench) -> Result:
    """Ask everything in rounds over one open connection; then open a connection for one query, again and again."""
    bench.say("preparing")
    lake = bench.scratch.lake(bench.full_day)
    bench.say("asking")
    _, found = run_job("query", lake.environment, runs=max(_LEAST_RUNS, bench.repetitions))
    asked, pages = ([figure(name, "ms", times) for name, times in found[kind].items()] for kind in ("queries", "pages"))
    slowest, page = (max(each, key=lambda one: one.p95 or 0) for each in (asked, pages))
    return Result(
        benchmark="queries",
        figures=(
            *asked,
            *pages,
            figure("opening a connection", "ms", found["opening"]),
            figure("first query of a new connection", "ms", found["first"]),
        ),
        targets=(
            Target(f"p95 of the slowest ({slowest.name})", "ms", slowest.p95 or 0, _MOST_MILLISECONDS),
            Target(f"p95 of the slowest page ({page.name})", "ms", page.p95 or 0, _MOST_OF_A_PAGE),
        ),
    )
