"""``python -m benchmarks [NAME …]``: measures, shows tables, writes results."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import batch, full_refresh, ingest, queries, simulator, ten_million
from benchmarks.bench import Bench
from benchmarks.homes import Scratch
from benchmarks.machine import machine, versions
from benchmarks.models import attribution, customers, experiments, forecasting, lift, optimization
from benchmarks.report import README, write_readme
from benchmarks.results import RESULTS, Record, Result, tables, write_record
from pipelines.errors import TrueliftError, UserError
from pipelines.settings import now

BENCHMARKS: Mapping[str, Callable[[Bench], Result]] = {
    "simulator": simulator.measure,
    "ten_million": ten_million.measure,
    "full_refresh": full_refresh.measure,
    "ingest": ingest.measure,
    "batch": batch.measure,
    "queries": queries.measure,
    "attribution": attribution.measure,
    "customers": customers.measure,
    "experiments": experiments.measure,
    "lift": lift.measure,
    "forecasting": forecasting.measure,
    "optimization": optimization.measure,
}
"""All benchmarks in the order in which they run: the lakes that ``ten_million`` and ``full_refresh`` build serve those after them."""

console = Console()


def main(
    *,
    names: Annotated[list[str] | None, typer.Argument(help=f"Some of {', '.join(BENCHMARKS)}; all if absent.")] = None,
    scale: Annotated[float, typer.Option(help="Part of the events; below 1 nothing is written to results/.")] = 1.0,
    repetitions: Annotated[int, typer.Option(min=1, help="Rounds of each comparison.")] = 5,
    home: Annotated[Path | None, typer.Option(envvar="TRUELIFT_BENCH_HOME", help="Scratch folder.")] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep simulated days and lakes in it, and use those there.")
    ] = False,
    readme: Annotated[bool, typer.Option("--readme", help="Only renew the figures in README.md.")] = False,
) -> None:
    """Measure the speed of Truelift."""
    if readme:
        write_readme(list(BENCHMARKS))
        console.print(f"{README.name} shows the results now.")
        return
    chosen = _chosen(names or [])
    if keep and home is None:
        raise UserError("--keep has no folder to keep anything in.", "Give --home or TRUELIFT_BENCH_HOME.")
    with ExitStack() as stack:
        folder = home.resolve() if home else Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="truelift-")))
        scratch = Scratch(folder, keep)
        scratch.clean()
        stack.callback(scratch.clean)
        for name in chosen:
            _measure(name, scratch, scale, repetitions)


def _measure(name: str, scratch: Scratch, scale: float, repetitions: int) -> None:
    def say(text: str) -> None:
        console.print(f"{name}: {text}", highlight=False)
        status.update(f"{name}: after “{text}”")

    with console.status(name) as status:
        result = BENCHMARKS[name](Bench(scratch, scale, repetitions, say))
    record = Record(result, f"{now():%Y-%m-%d}", scale, machine(), versions())
    path = write_record(record, RESULTS if scale == 1 else scratch.folder / "results")
    for table in tables(result):
        console.print(table)
    console.print(f"{name}: written to {path.name}", highlight=False)


def _chosen(names: list[str]) -> list[str]:
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        raise UserError(f"There is no benchmark {', '.join(unknown)}.", f"There are {', '.join(BENCHMARKS)}.")
    return [name for name in BENCHMARKS if not names or name in names]


def entry() -> None:
    """Run the command line; people's errors become one line and an exit code."""
    try:
        typer.run(main)
    except TrueliftError as error:
        console.print(f"{error.what}\n{error.remedy}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    entry()
