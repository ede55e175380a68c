"""What Dagster shows of a dbt node is what the dbt project says."""

from typing import Any

import dagster as dg
import pytest

from pipelines.transformation.translator import Translator


def node(*path: str, **more: Any) -> dict[str, Any]:
    return {"name": path[-1], "resource_type": "model", "fqn": ["truelift", *path], "config": {}, **more}


@pytest.mark.parametrize(
    ("path", "group"),
    [
        (("staging", "events", "stg_user_purchased"), "staging"),
        (("intermediate", "int_orders"), "intermediate"),
        (("marts", "campaigns", "campaign_performance"), "campaigns"),
        (("marts", "metric_values"), "marts"),
    ],
)
def test_the_group_is_the_area_or_the_layer(path: tuple[str, ...], group: str) -> None:
    assert Translator().get_group_name(node(*path)) == group


def test_a_seed_belongs_to_its_schema() -> None:
    assert Translator().get_group_name(node("metric_dictionary", schema="marts")) == "marts"


def test_the_owner_is_the_one_that_the_model_names() -> None:
    owned = node("marts", "campaigns", "x", config={"meta": {"owner": "team:performance-marketing"}})
    assert Translator().get_owners(owned) == ["team:performance-marketing"]
    assert Translator().get_owners(node("staging", "y")) == ["team:data-engineering"]


def test_the_description_comes_without_the_sql() -> None:
    described = node("staging", "y", description="One row per thing.", raw_code="select secret")
    assert Translator().get_description(described) == "One row per thing."


def test_the_key_is_the_name_in_the_lake() -> None:
    model = node("marts", "campaigns", "x", config={"schema": "marts"})
    source = {"name": "events", "source_name": "raw", "resource_type": "source", "config": {}}
    assert Translator().get_asset_key(model) == dg.AssetKey(["marts", "x"])
    assert Translator().get_asset_key(source) == dg.AssetKey(["raw", "events"])
