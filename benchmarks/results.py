"""What a benchmark found: figures from several runs, and how they stand to their targets; kept as JSON, shown as tables."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

RESULTS = Path(__file__).parent / "results"
"""Where the results of whole-scale runs lie, one file per benchmark."""

_MANY = 20
"""From so many runs on, a 95th percentile says something."""


@dataclass(frozen=True)
class Figure:
    """One quantity, measured ``runs`` times; ``p95`` is None when there were too few for it."""

    name: str
    unit: str
    runs: int
    minimum: float
    median: float
    p95: float | None = None


@dataclass(frozen=True)
class Target:
    """What was asked for and what came out. ``limit`` is an upper bound, or with ``at_least`` a lower one."""

    name: str
    unit: str
    value: float
    limit: float
    at_least: bool = False

    @property
    def is_met(self) -> bool:
        """Whether the value is on the right side of its limit."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit


@dataclass(frozen=True)
class Result:
    """One benchmark's outcome. ``profile`` tells where the seconds of one run went, part by part."""

    benchmark: str
    figures: tuple[Figure, ...]
    targets: tuple[Target, ...]
    profile: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Record:
    """A result with the circumstances under which it was measured."""

    result: Result
    measured_on: str
    scale: float
    machine: Mapping[str, str]
    versions: Mapping[str, str]


def figure(name: str, unit: str, samples: Sequence[float]) -> Figure:
    """Sum up the samples of one quantity."""
    p95 = statistics.quantiles(samples, n=20, method="inclusive")[-1] if len(samples) >= _MANY else None
    return Figure(name, unit, len(samples), min(samples), statistics.median(samples), p95)


def write_record(record: Record, folder: Path) -> Path:
    """Write a record as JSON below ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{record.result.benchmark}.json"
    targets = [{**asdict(target), "is_met": target.is_met} for target in record.result.targets]
    content = asdict(record) | {"result": asdict(record.result) | {"targets": targets}}
    path.write_text(json.dumps(_rounded(content), indent=2, ensure_ascii=False) + "\n")
    return path


def read_record(path: Path) -> Record:
    """Read what :func:`write_record` wrote."""
    content = json.loads(path.read_text())
    found = content.pop("result")
    targets = ({name: value for name, value in target.items() if name != "is_met"} for target in found["targets"])
    result = Result(
        benchmark=found["benchmark"],
        figures=tuple(Figure(**each) for each in found["figures"]),
        targets=tuple(Target(**each) for each in targets),
        profile=tuple((name, seconds) for name, seconds in found["profile"]),
    )
    return Record(result=result, **content)


def figure_rows(result: Result) -> Iterable[tuple[str, ...]]:
    """The figures as cells: name, unit, runs, minimum, median, 95th percentile."""
    for each in result.figures:
        numbers = (each.minimum, each.median, each.p95)
        yield (each.name, each.unit, str(each.runs), *("" if value is None else shown(value) for value in numbers))


def target_rows(result: Result) -> Iterable[tuple[str, ...]]:
    """The targets as cells: name, target, measured, verdict."""
    for each in result.targets:
        sign = "≥" if each.at_least else "≤"
        verdict = "met" if each.is_met else "**missed**"
        yield (each.name, f"{sign} {shown(each.limit)} {each.unit}", f"{shown(each.value)} {each.unit}", verdict)


def tables(result: Result) -> tuple[Table, ...]:
    """The result for a terminal."""
    figures = Table("figure", "unit", "runs", "min", "median", "p95", title=result.benchmark)
    for row in figure_rows(result):
        figures.add_row(*row)
    targets = Table("target", "asked for", "measured", "", title=f"{result.benchmark}: targets")
    for *cells, verdict in target_rows(result):
        targets.add_row(*cells, "[green]met[/]" if verdict == "met" else "[bold red]missed[/]")
    profile = Table("part", "seconds", title=f"{result.benchmark}: where one run's time goes")
    for name, seconds in result.profile:
        profile.add_row(name, f"{seconds:.2f}")
    return tuple(table for table in (figures, targets, profile) if table.row_count)


def shown(value: float) -> str:
    """A number with as many digits as it deserves."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _rounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value
