"""Every published delivery metric against the oracle: after each load, incrementally and rebuilt from scratch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from models_ml.simulation import World as Company
from models_ml.simulation import write_company
from pipelines.ingestion.load import ingest_files
from pipelines.lake.connection import Lake
from pipelines.settings import Settings
from pipelines.transformation.build import build
from quality.contracts import load_contract
from tests.golden.metrics_table import SPECIFIED
from tests.oracles.anomalies_oracle import anomalies_of, anomaly_discrepancies
from tests.oracles.comparison import values_in
from tests.oracles.ingestion_oracle import IngestionOracle
from tests.oracles.metrics_oracle import Key, MetricsOracle, MetricValue
from tests.oracles.operations_oracle import operations_discrepancies
from tests.oracles.references import References
from tests.oracles.rules import broken_rules
from tests.properties import stories
from tests.properties.agreement import MARTS, SHOWN, differences
from tests.properties.crowds import crowd

pytestmark = pytest.mark.slow

REAL_TIME = {metric.metric_id for metric in SPECIFIED if metric.refresh == "real-time"}
CUSTOMERS = {metric.metric_id for metric in SPECIFIED if 9 <= metric.number <= 13}


def is_real_time(key: Key) -> bool:
    """Whether a value changes with every batch: how old events were over weeks is counted at night."""
    return key[0] in REAL_TIME and key[:1] + key[3:4] != ("data_freshness_minutes", "window")


def nightly_values(lake: Lake) -> dict[Key, MetricValue]:
    """Values that a real-time refresh shows as they were: of customers, and of windows of metric 22."""
    shown = values_in(lake, MARTS).items()
    return {key: row for key, row in shown if key[0] in CUSTOMERS or (key[0] in REAL_TIME and not is_real_time(key))}


def test_stories_come_out_as_told_after_each_load(settings: Settings, lake: Lake, tmp_path: Path) -> None:
    world = stories.world_of(*stories.STORIES)
    for number, load in enumerate(world.loads, start=1):
        ingest_files(lake, load.write(tmp_path, number), ingested_at=load.ingested_at, backfill=load.backfill)
        build(settings, load.ingested_at).raise_if_failed()
        assert differences(lake, *world.judged(number), load.ingested_at) == [], f"after load {number}"
        assert operations_discrepancies(lake, world.loads[:number], load.ingested_at) == [], f"after load {number}"
    later = world.as_of + timedelta(days=25)
    build(settings, later).raise_if_failed()
    assert differences(lake, *world.judged(), later) == [], "after days without a load"
    assert operations_discrepancies(lake, world.loads, later) == [], "after days without a load"


def test_a_real_time_refresh_brings_the_real_time_metrics_up_to_date(
    settings: Settings, lake: Lake, tmp_path: Path
) -> None:
    world = crowd(1)
    for number, load in enumerate(world.loads, start=1):
        ingest_files(lake, load.write(tmp_path, number), ingested_at=load.ingested_at, backfill=load.backfill)
        between = number in (2, 3)
        before = nightly_values(lake) if between else {}
        build(settings, load.ingested_at, select=("tag:real_time",) if between else ()).raise_if_failed()
        found = differences(lake, *world.judged(number), load.ingested_at, only=is_real_time if between else None)
        known = ("uptime_percent",) if between else ("uptime_percent", "cost_per_query")
        found += operations_discrepancies(lake, world.loads[:number], load.ingested_at, metrics=known)
        assert found == [], f"after load {number}"
        assert not between or nightly_values(lake) == before, "what is computed at night stays"


def test_a_simulated_company_comes_out_to_the_last_row(settings: Settings, lake: Lake, tmp_path: Path) -> None:
    end = datetime(2025, 6, 15, 18, 30, tzinfo=UTC)
    write_company(Company(end=end, days=100, customers=1_500, events=60_000), load_contract(), tmp_path / "company")
    files = sorted((tmp_path / "company").glob("*.*"))
    ingest_files(lake, files, ingested_at=end, backfill=True)
    build(settings, end).raise_if_failed()
    oracle = IngestionOracle()
    for path in sorted((tmp_path / "company").glob("events-*.jsonl")):
        oracle.load(path.name, path.read_bytes(), end, backfill=True)
    references = References().read(sorted((tmp_path / "company").glob("*.csv")))
    assert differences(lake, oracle, references, end) == []
    assert broken_rules(lake)[:SHOWN] == []
    values = MetricsOracle(oracle.events.values(), references, end).values()
    anomalies = anomalies_of(values, oracle.events.values(), references, end)
    assert {severity for *_, severity in anomalies.values()} >= {"warning", "info"}
    assert anomaly_discrepancies(lake, anomalies)[:SHOWN] == []
