"""The log of what the platform runs: who ran what, when and for how long; never the text of a query."""

from __future__ import annotations

import functools
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Concatenate, ParamSpec, TypeVar

from pipelines.errors import WorkFailedError
from pipelines.lake.connection import Lake
from pipelines.operations.log import append
from pipelines.settings import Settings, now

_LOG = logging.getLogger("truelift.operations")

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Query:
    """One query: ``engine`` is ``dbt`` (a node), ``python`` (a step of a run) or ``sql`` (a person's query)."""

    engine: str
    name: str
    started_at: datetime
    seconds: float


def log_queries(settings: Settings, queries: Sequence[Query]) -> None:
    """Append the queries to the operations log. A log that can't be written stops no work, it only says so."""
    try:
        append(settings, "query_costs", [_row(settings, query) for query in queries])
    except WorkFailedError as error:
        _LOG.warning("%d queries are not logged. %s", len(queries), error)


@contextmanager
def logged(settings: Settings, engine: str, name: str) -> Iterator[None]:
    """Log the block as one query, also when it fails."""
    started_at, begin = now(), time.perf_counter()
    try:
        yield
    finally:
        log_queries(settings, [Query(engine, name, started_at, time.perf_counter() - begin)])


def logged_step(name: str) -> Callable[[Callable[Concatenate[Lake, P], R]], Callable[Concatenate[Lake, P], R]]:
    """Log every call of a function of the lake as a step of that name."""

    def wrap(function: Callable[Concatenate[Lake, P], R]) -> Callable[Concatenate[Lake, P], R]:
        @functools.wraps(function)
        def step(lake: Lake, /, *arguments: P.args, **named: P.kwargs) -> R:
            with logged(lake.settings, "python", name):
                return function(lake, *arguments, **named)

        return step

    return wrap


def _row(settings: Settings, query: Query) -> dict[str, object]:
    return {
        # Begins with the time, so that looking for it in the lake reads few files.
        "query_id": f"{query.started_at:%Y%m%dT%H%M%S.%f} {query.engine} {query.name} {os.getpid()}",
        "started_at": query.started_at,
        "engine": query.engine,
        "name": query.name,
        "actor": settings.actor or None,
        "seconds": round(query.seconds, 6),
    }
