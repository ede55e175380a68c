"""The part of README.md that is made from the results: circumstances, targets, figures and where the time goes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.results import RESULTS, Record, figure_rows, read_record, target_rows

README = Path(__file__).parent / "README.md"
_BEGIN, _END = "<!-- figures: begin -->", "<!-- figures: end -->"


def write_readme(names: Sequence[str]) -> None:
    """Put the stored results of the named benchmarks, in their order, between the markers of README.md."""
    paths = [RESULTS / f"{name}.json" for name in names]
    records = [read_record(path) for path in paths if path.exists()]
    before, rest = README.read_text().split(_BEGIN)
    after = rest.split(_END)[1]
    README.write_text("\n".join([before + _BEGIN, *_lines(records), _END + after]))


def _lines(records: Sequence[Record]) -> Iterable[str]:
    if records:
        yield from _table(
            ("benchmark", "target", "asked for", "measured", ""),
            [(record.result.benchmark, *row) for record in records for row in target_rows(record.result)],
        )
    for record in records:
        result = record.result
        yield f"### {result.benchmark}\n"
        circumstances = [f"{name} {value}" for name, value in {**record.machine, **record.versions}.items()]
        yield f"Measured on {record.measured_on}: {', '.join(circumstances)}.\n"
        yield from _table(("figure", "unit", "runs", "min", "median", "p95"), figure_rows(result))
        if result.profile:
            parts = ((name, f"{seconds:.2f}") for name, seconds in result.profile)
            yield from _table(("where one run's time goes", "s"), parts)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""
