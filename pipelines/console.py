"""How work and its results look on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from pipelines.ingestion.load import LoadResult
from pipelines.lake.audit import Audit
from pipelines.lake.publishing import Publication
from pipelines.transformation.build import Build
from pipelines.transformation.build import Progress as BuildProgress

_SHOWN_LOADS = 10


class Phases:
    """Bars for the phases of a run, one after the other; only a terminal sees them move."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description:<10}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[detail]}", markup=False),
            console=console,
        )
        self._task: TaskID | None = None
        self._name = ""

    def __enter__(self) -> Phases:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._finish()
        self._progress.stop()

    def begin(self, name: str) -> None:
        """Close the bar of the last phase and open one for the next."""
        self._finish()
        self._name = name
        self._task = self._progress.add_task(name, total=None, detail="")

    def bytes(self, label: str, done: int, total: int) -> None:
        """Progress of reading, in MB."""
        self._update("ingest", round(done / 1e6), round(total / 1e6), label)

    def node(self, progress: BuildProgress) -> None:
        """Progress of a dbt build."""
        self._update("build", progress.done, progress.total, progress.name)

    def count(self, name: str) -> Callable[[int, int], None]:
        """A callback for the progress of something counted."""
        return lambda done, total: self._update(name, done, total, "")

    def _update(self, name: str, done: int, total: int, detail: str) -> None:
        if self._task is None or self._name != name:
            self.begin(name)
        assert self._task is not None
        self._progress.update(self._task, completed=done, total=total, detail=detail)

    def _finish(self) -> None:
        if self._task is not None:
            task = self._progress.tasks[self._task]
            total = task.total if task.total is not None else 1
            self._progress.update(self._task, completed=total, total=total, detail="")
            self._progress.stop_task(self._task)


def show_loads(console: Console, results: Sequence[LoadResult], *, total_only: bool = False) -> None:
    """What became of the loads: a table of a few, the failed ones always, and their sum in a sentence."""
    if not results:
        console.print("Nothing new to take in.")
        return
    few = len(results) <= _SHOWN_LOADS and not total_only
    shown = [result for result in results if few or result.status == "failed"]
    if shown:
        table = Table("file", "target", "status", "lines", "accepted", "duplicates", "rejected", "filtered")
        for result in shown:
            counts = (result.lines, result.accepted, result.duplicates, result.rejected, result.filtered)
            table.add_row(result.source_file, result.target, result.status, *(f"{count:,}" for count in counts))
        console.print(table)
    for result in shown:
        if result.error:
            console.print(result.error, style="red")
    names = ("lines", "accepted", "duplicates", "rejected", "filtered", "late", "pii_masked")
    total = {name: sum(getattr(result, name) for result in results) for name in names}
    console.print(
        f"{len(results)} loads: {total['lines']:,} lines = {total['accepted']:,} accepted"
        f" + {total['duplicates']:,} duplicates + {total['rejected']:,} rejected + {total['filtered']:,} filtered;"
        f" {total['late']:,} late, {total['pii_masked']:,} personal texts masked,"
        f" {sum(result.seconds for result in results):.1f} s",
        soft_wrap=True,
    )


def show_publication(console: Console, built: Build, audited: Audit, publication: Publication) -> None:
    """What was built, checked and published, in three lines."""
    tests = sum(node.is_test for node in built.nodes)
    rows = sum(node.rows or 0 for node in built.nodes)
    console.print(
        f"built {len(built.nodes) - tests} models ({rows:,} rows in tables), {tests} tests, {built.seconds:.1f} s"
    )
    passed = sum(result.passed for result in audited.results)
    console.print(f"audited version {audited.version}: {passed} of {len(audited.results)} checks passed")
    for warning in audited.warnings:
        style = "red" if warning.severity == "alert" else "yellow"
        console.print(f"  {warning.severity}: {warning.name}: {warning.observed}", style=style)
    console.print(
        f"published version {publication.version} as {len(publication.views)} views, "
        f"computed for {publication.as_of:%Y-%m-%d %H:%M} UTC"
    )
