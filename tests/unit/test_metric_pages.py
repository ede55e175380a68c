"""What is written about metrics and models is whole, and says what the code says."""

from __future__ import annotations

import csv
import importlib.util
import json
import re
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from models_ml.reasons import Reason
from pipelines.settings import PROJECT_DIR, load_settings
from pipelines.transformation.build import manifest_path

PAGES = PROJECT_DIR / "docs" / "metrics"
SEEDS = PROJECT_DIR / "dbt_project" / "seeds"


@cache
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("metric_pages", PAGES / "pages.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    settings = load_settings({"TRUELIFT_HOME": str(tmp_path_factory.mktemp("home"))}).prepare()
    found: dict[str, Any] = json.loads(manifest_path(settings).read_text())
    return found


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_pages_are_what_their_script_makes(manifest: dict[str, Any]) -> None:
    made = script().pages(manifest)
    assert {path.name for path in PAGES.glob("*.md")} == made.keys()
    for name, text in made.items():
        assert (PAGES / name).read_text() == text, f"{name} has drifted: run python docs/metrics/pages.py"


def test_every_model_and_column_is_described(manifest: dict[str, Any]) -> None:
    nodes = [node for node in manifest["nodes"].values() if node["resource_type"] in ("model", "seed")]
    undescribed = [
        f"{node['name']}.{name}"
        for node in nodes
        for name, column in {"": node, **node["columns"]}.items()
        if not column["description"].strip()
    ]
    assert not undescribed
    assert all(node["columns"] for node in nodes)


def test_every_money_column_says_in_which_currency_it_is(manifest: dict[str, Any]) -> None:
    marts = [node for node in manifest["nodes"].values() if node["resource_type"] == "model" and "marts" in node["fqn"]]
    money = [
        (node, column) for node in marts for column in node["columns"].values() if "decimal" in column["data_type"]
    ]
    assert len(money) > 50
    unclear = [
        f"{node['name']}.{column['name']}"
        for node, column in money
        if "base currency" not in column["description"]
        and not ("currency" in node["columns"] and "currency" in column["description"])
    ]
    assert not unclear


def test_every_reason_for_null_of_a_metric_is_explained() -> None:
    explained = {row["null_reason"]: row["metrics"].split("; ") for row in rows(SEEDS / "null_reasons.csv")}
    judged = (PROJECT_DIR / "dbt_project/models/marts/health/metric_values.yml").read_text()
    known = re.search(r"known_reason: .*? in \((.*?)\)", judged)
    assert known
    assert set(re.findall(r"'([a-z_]+)'", known[1])) <= explained.keys()
    metrics = {row["metric_id"] for row in rows(SEEDS / "metric_dictionary.csv")}
    assert {metric for named in explained.values() for metric in named if metric} <= metrics
    effects = {reason for reason, named in explained.items() if "holdout_lift_pp" in named}
    assert effects <= {str(reason) for reason in Reason}
