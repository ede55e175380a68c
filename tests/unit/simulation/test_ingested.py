"""Ingestion, all rules on, finds in every file what the simulator put there."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.ingestion.files import files_in
from pipelines.ingestion.load import ingest_files
from pipelines.lake.connection import Lake
from pipelines.settings import load_settings

from .conftest import END, Written


@pytest.mark.slow
def test_every_load_counts_what_the_truth_says(company: Written, tmp_path: Path) -> None:
    """All files at the world's end, as a backfill, so that nothing is too old: see ``FileTruth``."""
    lake = Lake(load_settings({"TRUELIFT_HOME": str(tmp_path)}).prepare())
    results = ingest_files(lake, files_in(company.folder), ingested_at=END, backfill=True)
    loads = {Path(result.source_file).name: result for result in results}
    for truth in company.truth.files:
        load, too_old = loads[truth.file], truth.reasons.get("timestamp_too_old", 0)
        found = {reason: count for reason, count in load.rejected_by_reason if reason != "duplicate_event_id"}
        assert found == {reason: count for reason, count in truth.reasons.items() if reason != "timestamp_too_old"}
        assert load.lines == truth.lines
        assert load.rejected == truth.rejected - too_old
        assert load.accepted == truth.clean + truth.repeats_of_earlier_files + too_old
        assert load.replaced == truth.repeats_of_earlier_files
        assert load.duplicates == truth.repeats - truth.repeats_of_earlier_files
        assert load.late == truth.older_than_a_day + too_old
        assert load.pii_masked == 0
    for name in ("campaigns", "creatives", "customers", "products", "order_items", "ad_spend_daily", "fx_rates"):
        assert loads[f"{name}.csv"].rejected == 0
        assert loads[f"{name}.csv"].accepted == loads[f"{name}.csv"].lines > 0
    with lake.reader() as connection:
        counted = connection.execute(
            "select event_type, count(*) from lake.raw.events where event_date >= '2002-01-01' group by 1"
        )
        assert dict(counted.fetchall()) == company.truth.events_by_type
