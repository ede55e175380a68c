"""Turns the platform's own errors into what Dagster shows and acts upon."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
from dagster import Failure, RetryRequested

from pipelines.errors import TrueliftError

_CONFLICT = "Failed to commit DuckLake transaction"
_MAX_RETRIES = 3
_WAIT_SECONDS = 5.0


@contextmanager
def explained() -> Iterator[None]:
    """Around the work of a step: commit conflicts become retries, errors meant for people the step's message.

    A conflict with another writer (possible on a Postgres catalog; dbt reports it as the failure of a model) is over
    once that writer has committed. A failed gate or a mistake would fail again and is not retried.
    """
    try:
        yield
    except (TrueliftError, duckdb.Error) as error:
        if _CONFLICT in str(error):
            raise RetryRequested(max_retries=_MAX_RETRIES, seconds_to_wait=_WAIT_SECONDS) from error
        if isinstance(error, TrueliftError):
            raise Failure(error.what, metadata={"remedy": error.remedy}, allow_retries=False) from error
        raise
