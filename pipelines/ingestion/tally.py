"""Loads in progress, and what becomes of their lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Load:
    """One load in progress: the file's name in the lake and whether its age limit is lifted.

    ``keeps_duplicates`` is false for mapped sources: their exports repeat what was delivered before, by nature.
    """

    load_id: int
    source_file: str
    historical: bool
    keeps_duplicates: bool = True


@dataclass
class Tally:
    """What became of the lines of one load so far."""

    lines: int = 0
    accepted: int = 0
    late: int = 0
    replaced: int = 0
    duplicates: int = 0
    rejected: int = 0
    pii_masked: int = 0
    by_reason: dict[str, int] = field(default_factory=dict)
    min_timestamp: datetime | None = None
    max_timestamp: datetime | None = None
    superseded_lines: list[int] = field(default_factory=list)
    """Lines stored with an earlier chunk whose id a later chunk of the same load repeats."""

    def add_accepted(self, lines: int, late: int, first: datetime | None, last: datetime | None) -> None:
        """Count ``lines`` accepted ones more, ``late`` of which came late, from ``first`` to ``last``."""
        self.accepted += lines
        self.late += late
        self.min_timestamp = _extreme(min, self.min_timestamp, first)
        self.max_timestamp = _extreme(max, self.max_timestamp, last)


def _extreme(choose: object, *values: datetime | None) -> datetime | None:
    given = [value for value in values if value is not None]
    return choose(given) if given else None  # type: ignore[operator]
