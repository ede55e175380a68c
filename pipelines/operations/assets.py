"""The probes as a Dagster asset, and what asks for them every minute."""

from collections.abc import Mapping, Sequence
from typing import Any

from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetMaterialization,
    AssetsDefinition,
    DefaultSensorStatus,
    MaterializeResult,
    ResourceParam,
    SensorDefinition,
    SensorResult,
    SkipReason,
    asset,
    sensor,
)

from pipelines.automation.failures import explained
from pipelines.automation.metadata import OWNER, column_schema, rows_metadata
from pipelines.errors import TrueliftError
from pipelines.lake.connection import Lake
from pipelines.lake.tables import REFERENCES
from pipelines.operations.probes import Probe, probe

PROBES = AssetKey(["ops", "probes"])
EVERY_SECONDS = 60


def probes_asset(published: Sequence[AssetKey]) -> AssetsDefinition:
    """How the published views answer. It writes nothing to the lake, so it waits for no run."""

    @asset(
        key=PROBES,
        deps=published,
        group_name="operations",
        owners=[OWNER],
        kinds={"python", "sqlite"},
        description="Asks every published view for a row and logs status and milliseconds beside the lake; the next run takes "
        "the log in as `service_probes`. The sensor `probes` does so every minute.",
        metadata={"dagster/column_schema": column_schema(REFERENCES["service_probes"][1])},
    )
    def probes(context: AssetExecutionContext, lake: ResourceParam[Lake]) -> MaterializeResult[Any]:
        with explained():
            return MaterializeResult(metadata=_metadata(probe(lake)))

    return probes


def probes_sensor() -> SensorDefinition:
    """Probes in the sensor's own tick: a run would take seconds of processor time to start, every minute."""

    @sensor(
        name="probes",
        description="Asks every published view for a row each minute and reports it as a materialization of `ops/probes`.",
        minimum_interval_seconds=EVERY_SECONDS,
        default_status=DefaultSensorStatus.RUNNING,
    )
    def probes(lake: ResourceParam[Lake]) -> SensorResult:
        try:
            found = probe(lake)
        except TrueliftError as error:
            return SensorResult(skip_reason=SkipReason(str(error)))
        if not found:
            return SensorResult(skip_reason=SkipReason("Nothing has been published yet."))
        return SensorResult(asset_events=[AssetMaterialization(PROBES, metadata=_metadata(found))])

    return probes


def _metadata(found: Sequence[Probe]) -> Mapping[str, Any]:
    """Numbers, so that the UI plots them over time, and every view that did not answer well."""
    milliseconds = [each.response_ms for each in found if each.response_ms is not None]
    down = [each for each in found if not each.is_ok]
    metadata: dict[str, Any] = {"probes": len(found), "down": len(down)}
    if milliseconds:
        metadata["slowest_ms"] = max(milliseconds)
        metadata["mean_ms"] = round(sum(milliseconds) / len(milliseconds), 3)
    if down:
        metadata["views_down"] = rows_metadata({"view": each.service, "status": each.status_code} for each in down)
    return metadata
