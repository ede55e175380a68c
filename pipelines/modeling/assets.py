"""The trained models as a Dagster asset: trained weekly, each with how it does out of time."""

from collections.abc import Iterator
from typing import Any

from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    MaterializeResult,
    ResourceParam,
    multi_asset,
)

from pipelines.automation.as_of import as_of
from pipelines.automation.failures import explained
from pipelines.automation.metadata import OWNER, column_schema, rows_metadata
from pipelines.lake.connection import Lake
from pipelines.lake.tables import MODEL_EVALUATIONS, MODEL_VERSIONS
from pipelines.modeling.registry import Evaluation
from pipelines.modeling.training import train

VERSIONS = AssetKey(["models", "model_versions"])
EVALUATIONS = AssetKey(["models", "model_evaluations"])
_LEARNED_FROM = (AssetKey(["intermediate", "int_experiment_users"]), AssetKey(["intermediate", "int_orders"]))


def models_asset(pool: str) -> AssetsDefinition:
    """The registry of trained models and their evaluations, written together."""
    described = {
        VERSIONS: (
            "One row per trained model: what it was trained on, its metrics and importances, the hash of its file.",
            MODEL_VERSIONS,
        ),
        EVALUATIONS: (
            "One row per kind of model and training: how the model does out of time, or why there is none.",
            MODEL_EVALUATIONS,
        ),
    }
    specs = [
        AssetSpec(
            key,
            deps=_LEARNED_FROM,
            group_name="modeling",
            owners=[OWNER],
            kinds={"python", "scikitlearn"},
            description=description,
            metadata={
                "dagster/column_schema": column_schema(columns),
                "dagster/table_name": "lake." + ".".join(key.path),
            },
        )
        for key, (description, columns) in described.items()
    ]

    @multi_asset(name="train_models", specs=specs, pool=pool)
    def train_models(context: AssetExecutionContext, lake: ResourceParam[Lake]) -> Iterator[MaterializeResult[Any]]:
        with explained():
            found = train(lake, as_of(context))
        yield MaterializeResult(asset_key=VERSIONS, metadata={"models": sum(bool(each.model_id) for each in found)})
        areas = {f"auc_{each.kind}": each.auc for each in found if each.auc is not None}
        yield MaterializeResult(
            asset_key=EVALUATIONS, metadata={**areas, "evaluations": rows_metadata(map(_row, found))}
        )

    return train_models


def _row(found: Evaluation) -> dict[str, Any]:
    names = ("kind", "model_id", "cases", "auc", "auc_low", "auc_high", "f1_score", "null_reason", "details")
    return {name: getattr(found, name) for name in names}
