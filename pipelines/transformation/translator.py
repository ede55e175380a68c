"""How a dbt node looks in Dagster: its group, owner and description, and what its tests ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dagster import AssetCheckSpec, AssetDep, AssetKey, AssetSpec
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtProject

from pipelines.automation.metadata import OWNER

FOLLOWED = (AssetKey(["ops", "load_log"]), AssetKey(["ops", "touched_days"]))
"""What tells an increment which loads and days to take in."""
BOOKKEEPING = {*FOLLOWED, AssetKey(["ops", "build_log"])}


class Translator(DagsterDbtTranslator):
    """Reads group, owner and description off the dbt project, so that they are stated once, beside the SQL.

    Keys are ``schema/name`` for models and for sources, which is how the tables are called in the lake too.
    """

    def __init__(self) -> None:
        super().__init__(DagsterDbtTranslatorSettings(enable_source_tests_as_checks=True))

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None) -> AssetSpec:
        """The model, with the bookkeeping of its increments shown only where they begin: in the intermediate layer.

        There it must be: a refresh leaves the staging views alone, and the models must still wait for the loads.
        """
        spec = super().get_asset_spec(manifest, unique_id, project)
        begins = spec.key.path[0] == "intermediate"
        deps = [dep for dep in spec.deps if dep.asset_key not in BOOKKEEPING]
        return spec.replace_attributes(deps=[*deps, *(AssetDep(key) for key in FOLLOWED if begins)])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """The business area of a mart (its folder below ``marts``); the layer of anything else, a seed's schema."""
        layer, *area = dbt_resource_props["fqn"][1:-1] or [dbt_resource_props["schema"]]
        return str(area[0] if layer == "marts" and area else layer)

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> Sequence[str]:
        """The team in ``meta.owner``; data engineering where a model states none."""
        meta = dbt_resource_props.get("config", {}).get("meta") or dbt_resource_props.get("meta") or {}
        return [meta.get("owner", OWNER)]

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """The description without the SQL, which would fill the asset list."""
        return str(dbt_resource_props.get("description") or dbt_resource_props["name"])

    def get_asset_check_spec(
        self, asset_spec: AssetSpec, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None
    ) -> AssetCheckSpec | None:
        """The check behind a test, with what the test asks for as its description."""
        spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        if spec is None:
            return None
        return spec._replace(description=_what_is_tested(self.get_resource_props(manifest, unique_id)))


def _what_is_tested(test: Mapping[str, Any]) -> str:
    """The description of a dbt test; of a generic one without any, its name and arguments."""
    if test.get("description"):
        return str(test["description"])
    if not test.get("test_metadata"):
        return f"dbt test `{test['original_file_path']}`"
    arguments = {name: value for name, value in test["test_metadata"]["kwargs"].items() if name != "model"}
    return "\n".join([f"dbt test `{test['test_metadata']['name']}`", *_bullets(arguments)])


def _bullets(arguments: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    for name, value in arguments.items():
        if isinstance(value, Mapping):
            yield f"{indent}- {name}:"
            yield from _bullets(value, indent + "  ")
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list) else value
            yield f"{indent}- {name}: `{shown}`"
