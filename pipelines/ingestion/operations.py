"""Takes the operations log in: its rows are reference inputs like any other, judged and upserted by the same rules."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pyarrow as pa

from pipelines.errors import WorkFailedError
from pipelines.ingestion.load import Ingestion, LoadResult
from pipelines.ingestion.references import load_reference_rows
from pipelines.operations.log import LOGGED, mark_taken, waiting
from pipelines.settings import Settings

OPERATIONS = "operations"
"""Source of these loads."""


def take_operations(ingestion: Ingestion, settings: Settings) -> list[LoadResult]:
    """Load what the log holds up to the instant of the ingestion; one load per reference input that has rows.

    Dying between a load and its mark takes the same rows in again, which their keys make duplicates. A log that can't be
    used gives a ``failed`` result, as a file does that can't be read, and stops nothing.
    """
    results: list[LoadResult] = []
    for reference in LOGGED:
        described = LoadResult(OPERATIONS, reference, settings.operations_log.name, content_hash="", bytes=0)
        try:
            last, rows = waiting(settings, reference, ingestion.ingested_at)
            if rows:
                results.append(result := _load(ingestion, settings, described, rows))
                assert result.load_id is not None
                mark_taken(settings, reference, last, result.load_id, ingestion.ingested_at)
        except WorkFailedError as error:
            results.append(ingestion.log_failure(described, error))
    return results


def _load(ingestion: Ingestion, settings: Settings, described: LoadResult, rows: list[dict[str, object]]) -> LoadResult:
    described = replace(described, content_hash=hashlib.sha256(json.dumps(rows).encode()).hexdigest())
    table = pa.table({name: pa.array([row[name] for row in rows]) for name in rows[0]})
    return ingestion.load_reference(
        described,
        lambda load_id: load_reference_rows(
            ingestion.connection,
            described.target,
            table.to_reader(),
            load_id=load_id,
            ingested_at=ingestion.ingested_at,
            pii_key=settings.pii_key(),
            source_file=described.source_file,
        ),
    )
