"""Events that have been decided, as columns of numbers, waiting for their time to come."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from models_ml.simulation.ids import Array

Columns = dict[str, Array]
"""Equally long columns; ``time`` in milliseconds since 1970 and ``user`` (index of the customer or actor) are always there."""


class Pool:
    """Columns by kind of event. What would happen at or after ``end`` never happens and is dropped."""

    def __init__(self, end: int) -> None:
        self._end = end
        self._waiting: dict[str, list[Columns]] = defaultdict(list)

    def add(self, kind: str, **columns: Array) -> None:
        """Add events of one kind; every call for that kind names the same columns."""
        keep = columns["time"] < self._end
        if keep.any():
            self._waiting[kind].append(columns if keep.all() else rows(columns, keep))

    def take(self, before: int) -> dict[str, Columns]:
        """Remove and return what happens before an instant, by kind."""
        due = {kind: self.take_kind(kind, before) for kind in list(self._waiting)}
        return {kind: columns for kind, columns in due.items() if columns is not None}

    def take_kind(self, kind: str, before: int) -> Columns | None:
        """The same for one kind; None when there is nothing."""
        chunks = self._waiting.pop(kind, [])
        if not chunks:
            return None
        columns = join(chunks)
        now = columns["time"] < before
        if not now.all():
            self._waiting[kind] = [rows(columns, ~now)]
        return rows(columns, now) if now.any() else None


def rows(columns: Columns, keep: Array) -> Columns:
    """The rows that a mask or an index names."""
    return {name: values[keep] for name, values in columns.items()}


def join(chunks: list[Columns]) -> Columns:
    """Columns of the same names, one after the other."""
    if len(chunks) == 1:
        return chunks[0]
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}
