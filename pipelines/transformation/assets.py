"""The dbt project as Dagster assets: every model a table with its lineage, every test a check."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from dagster import (
    AssetCheckKey,
    AssetCheckResult,
    AssetCheckSeverity,
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSelection,
    AssetSpec,
    MaterializeResult,
    ResourceParam,
)
from dagster_dbt import DagsterDbtTranslator, dbt_assets
from dagster_dbt.asset_utils import get_asset_check_key_for_test

from pipelines.automation.as_of import as_of
from pipelines.automation.evaluations import VERSION
from pipelines.automation.failures import explained
from pipelines.automation.metadata import OWNER, column_schema, rows_metadata, size_metadata, table_of
from pipelines.lake.connection import Lake
from pipelines.lake.publishing import current_version
from pipelines.lake.sizes import sizes
from pipelines.lake.tables import BUILD_LOG
from pipelines.run import REAL_TIME
from pipelines.settings import Settings
from pipelines.transformation.build import NIGHTLY, Node, Progress, build, manifest_path
from pipelines.transformation.translator import Translator

Manifest = dict[str, Any]


def load_manifest(settings: Settings) -> Manifest:
    """Dbt's manifest, with every test given to a table.

    A test of several tables belongs to none in dbt, and Dagster would not show it: it becomes a check of the last one
    that it names.
    """
    manifest: Manifest = json.loads(manifest_path(settings).read_text())
    for node in manifest["nodes"].values():
        models = [parent for parent in node["depends_on"].get("nodes", []) if parent.startswith("model.")]
        if node["resource_type"] == "test" and not node.get("attached_node") and models:
            node["attached_node"] = models[-1]
    return manifest


def transformation_assets(manifest: Manifest, pool: str) -> AssetsDefinition:
    """All models of the project as one step that can be narrowed to some of them; their tests are their checks."""
    translator = Translator()
    keys = {
        unique_id: translator.get_asset_key(node)
        for unique_id, node in manifest["nodes"].items()
        if node["resource_type"] in ("model", "seed", "snapshot")
    }

    @dbt_assets(manifest=manifest, dagster_dbt_translator=translator, name="transformation", pool=pool)
    def transformation(context: AssetExecutionContext, lake: ResourceParam[Lake]) -> Iterator[Any]:
        wanted = {unique_id: key for unique_id, key in keys.items() if key in context.selected_asset_keys}
        names = [manifest["nodes"][unique_id]["name"] for unique_id in wanted]

        def log(progress: Progress) -> None:
            context.log.info(f"{progress.name}: {progress.status} in {progress.seconds:.2f} s")

        with explained():
            select = [] if len(wanted) == len(keys) else names
            with lake.writing():
                result = build(lake.settings, as_of(context), select=select, on_progress=log)
                built = {wanted[node.unique_id]: node for node in result.nodes if _is_built(node, wanted)}
                with lake.reader() as connection:
                    version = current_version(connection)
                    # A view holds no rows of its own, and counting them would run it.
                    found = sizes(connection, [table_of(key) for key, node in built.items() if node.rows is not None])
            for key, node in built.items():
                metadata = size_metadata(found.get(table_of(key)), node.seconds)
                yield MaterializeResult(asset_key=key, metadata={VERSION: version, **metadata})
            for node in result.nodes:
                check = _check_key(manifest, translator, node)
                if check is not None and check in context.selected_asset_check_keys:
                    yield _check_result(check, node)
            result.raise_if_failed()

    return transformation


def build_log_spec() -> AssetSpec:
    """The watermarks of the incremental models: read and written by dbt itself, so no step of ours makes them."""
    return AssetSpec(
        ["ops", "build_log"],
        group_name="operations",
        owners=[OWNER],
        kinds={"dbt", "duckdb"},
        description="The last load that each incremental model has taken in; dbt writes it with the model.",
        metadata={"dagster/column_schema": column_schema(BUILD_LOG), "dagster/table_name": "lake.ops.build_log"},
    )


def nightly_checks(manifest: Manifest) -> set[AssetCheckKey]:
    """The checks behind the dbt tests that scan history, which only a build of everything runs."""
    translator = Translator()
    tests = [node["unique_id"] for node in manifest["nodes"].values() if _has_tag(node, NIGHTLY)]
    found = {get_asset_check_key_for_test(manifest, translator, test, project=None) for test in tests}
    return {key for key in found if key is not None}


def real_time_models(manifest: Manifest) -> AssetSelection:
    """The models that a landing batch refreshes, with all their checks."""
    translator = Translator()
    tagged = [node for node in manifest["nodes"].values() if _has_tag(node, REAL_TIME)]
    return AssetSelection.assets(
        *(translator.get_asset_key(node) for node in tagged if node["resource_type"] == "model")
    )


def _has_tag(node: Mapping[str, Any], selector: str) -> bool:
    return selector.removeprefix("tag:") in node["tags"]


def _is_built(node: Node, wanted: Mapping[str, AssetKey]) -> bool:
    return node.unique_id in wanted and node.status == "passed"


def _check_key(manifest: Manifest, translator: DagsterDbtTranslator, node: Node) -> AssetCheckKey | None:
    """The check behind a test that has run; unit tests and tests of no single table are none."""
    if node.kind != "test" or node.status == "skipped":
        return None
    return get_asset_check_key_for_test(manifest, translator, node.unique_id, project=None)


def _check_result(check: AssetCheckKey, node: Node) -> AssetCheckResult:
    metadata: dict[str, Any] = {
        "observed": node.message or f"{node.failures} failing rows",
        "failing_rows": node.failures,
        "seconds": round(node.seconds, 3),
    }
    if node.sample:
        metadata["first_failing_rows"] = rows_metadata(node.sample)
    return AssetCheckResult(
        asset_key=check.asset_key,
        check_name=check.name,
        passed=node.status == "passed",
        severity=AssetCheckSeverity.WARN if node.status == "warned" else AssetCheckSeverity.ERROR,
        metadata=metadata,
    )
