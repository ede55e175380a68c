"""The metric dictionary says what the specification's table says."""

from __future__ import annotations

import csv

import pytest

from pipelines.settings import PROJECT_DIR
from tests.golden.metrics_table import SPECIFIED, Specified

SEED = PROJECT_DIR / "dbt_project" / "seeds" / "metric_dictionary.csv"


def dictionary() -> dict[str, dict[str, str]]:
    with SEED.open(newline="", encoding="utf-8") as file:
        return {row["metric_id"]: row for row in csv.DictReader(file)}


@pytest.mark.parametrize("specified", SPECIFIED, ids=lambda specified: specified.metric_id)
def test_each_metric_is_as_specified(specified: Specified) -> None:
    row = dictionary()[specified.metric_id]
    bounds = [float(row[name]) if row[name] else None for name in ("healthy_min", "healthy_max")]
    assert (int(row["metric_number"]), *bounds) == specified[:1] + specified[2:4]
    assert (row["owner"], row["refresh_class"], row["priority"]) == specified[4:]


def test_it_holds_the_25_metrics_and_explains_each() -> None:
    rows = dictionary()
    assert set(rows) == {specified.metric_id for specified in SPECIFIED}
    for name in ("name", "category", "definition", "formula", "unit", "grain", "sources", "visualization"):
        assert all(row[name].strip() for row in rows.values()), name
