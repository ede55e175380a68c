"""Published metric values against the oracle's: equal on counts, to 1e-9 on ratios, with the same reasons for NULL."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from pipelines.lake.connection import Lake
from tests.oracles.metrics_oracle import Key, MetricValue

TOLERANCE = 1e-9


def values_in(lake: Lake, table: str = "published.metric_values") -> dict[Key, MetricValue]:
    """The long table's rows by key; one row per key."""
    sql = f"""
        select metric_id, breakdown, breakdown_key, period_kind, window_label, period_end,
            value::double, numerator::double, denominator::double, null_reason
        from lake.{table}
    """
    with lake.reader() as connection:
        rows = connection.execute(sql).fetchall()
    values = {(*row[:5], _day(row[5])): MetricValue(*row[6:]) for row in rows}
    assert len(values) == len(rows), f"{len(rows) - len(values)} keys stand twice in {table}"
    return values


def discrepancies(
    published: Mapping[Key, MetricValue], expected: Mapping[Key, MetricValue], *, until: date
) -> list[str]:
    """What differs, one line each, over the metrics that the oracle knows and the periods that end by ``until``.

    A row may be missing on a side only where the other side's says that nothing happened.
    """
    known = {key[0] for key in expected}
    keys = {*expected, *(key for key in published if key[0] in known)}
    found = []
    for key in sorted(keys, key=str):
        ours, theirs = published.get(key), expected.get(key)
        if key[5] <= until and not _agree(ours, theirs):
            found.append(f"{' '.join(map(str, key))}: published {_shown(ours)}, expected {_shown(theirs)}")
    return found


def _agree(published: MetricValue | None, expected: MetricValue | None) -> bool:
    if published is None or expected is None:
        return _says_nothing(published) and _says_nothing(expected)
    parts = (published.numerator, expected.numerator), (published.denominator, expected.denominator)
    return (
        equal(published.value, expected.value)
        and published.null_reason == expected.null_reason
        and all(equal(ours, theirs) for ours, theirs in parts if expected.value is not None and theirs is not None)
    )


def _says_nothing(row: MetricValue | None) -> bool:
    return row is None or (not row.value and not row.numerator)


def _shown(row: MetricValue | None) -> str:
    if row is None:
        return "no row"
    return f"{row.value} = {row.numerator} / {row.denominator} ({row.null_reason})"


def _day(value: object) -> date:
    return date.fromisoformat(str(value)[:10])


def equal(one: Any, other: Any) -> bool:
    """Whether two values are the same, numbers but for the last digits."""
    if isinstance(one, datetime) and isinstance(other, datetime):
        return one.replace(tzinfo=UTC) == other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return bool(one == other)
