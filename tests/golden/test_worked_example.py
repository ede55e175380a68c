"""The specification's worked example must come out, of the oracle and of the pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from pipelines.ingestion.load import ingest_files
from pipelines.lake.connection import Lake
from pipelines.settings import Settings
from pipelines.transformation.build import build
from tests.golden.funnel import CAMPAIGN, DAY, EXPECTED, funnel
from tests.oracles.comparison import values_in
from tests.oracles.metrics_oracle import Key, MetricsOracle, MetricValue
from tests.oracles.world import id_of, midnight


def check(values: Mapping[Key, MetricValue]) -> None:
    day = midnight(DAY).date()
    for metric_id, (exact, printed) in EXPECTED.items():
        assert exact == pytest.approx(printed, abs=0.0006)
        for group in (("overall", "all"), ("campaign", id_of(CAMPAIGN)), ("platform", "meta")):
            for period in (("daily", "day"), ("window", "1d"), ("window", "ytd")):
                value = values[metric_id, *group, *period, day].value
                assert value == pytest.approx(exact, rel=1e-12), (metric_id, group, period)


def test_the_oracle_gives_the_specified_figures() -> None:
    world = funnel()
    lake, references = world.judged()
    check(MetricsOracle(lake.events.values(), references, world.as_of).values())


@pytest.mark.slow
def test_the_pipeline_gives_the_specified_figures(settings: Settings, lake: Lake, tmp_path: Path) -> None:
    world = funnel()
    ingest_files(lake, world.loads[0].write(tmp_path, 1), ingested_at=world.as_of)
    build(settings, world.as_of).raise_if_failed()
    check(values_in(lake, "marts.metric_values"))
