"""A minute's probes in Dagster: a materialization without a run, with what the UI plots."""

import dagster as dg

from pipelines.lake.connection import Lake
from pipelines.operations.assets import EVERY_SECONDS, PROBES, probes_asset, probes_sensor
from pipelines.operations.log import waiting
from pipelines.settings import now
from tests.unit.operations.views import BROKEN, SOUND, publish


def tick(lake: Lake, instance: dg.DagsterInstance) -> dg.SensorResult:
    result = probes_sensor()(dg.build_sensor_context(instance=instance, resources={"lake": lake}))
    assert isinstance(result, dg.SensorResult)
    assert not result.run_requests
    return result


def test_a_tick_probes_and_reports_what_it_found(lake: Lake, instance: dg.DagsterInstance) -> None:
    assert probes_sensor().minimum_interval_seconds == EVERY_SECONDS == 60
    publish(lake, sound=SOUND, broken=BROKEN)
    [event] = tick(lake, instance).asset_events
    assert isinstance(event, dg.AssetMaterialization)
    assert event.asset_key == PROBES
    values = {name: value.value for name, value in event.metadata.items()}
    assert (values["probes"], values["down"]) == (2, 1)
    assert 0 < float(str(values["mean_ms"])) <= float(str(values["slowest_ms"]))
    assert "broken" in str(values["views_down"])
    assert len(waiting(lake.settings, "service_probes", now())[1]) == 2


def test_a_tick_without_a_lake_says_why_it_did_nothing(lake: Lake, instance: dg.DagsterInstance) -> None:
    skipped = tick(lake, instance)
    assert skipped.skip_reason is not None
    assert "no lake" in str(skipped.skip_reason.skip_message)
    with lake.writer():
        pass
    skipped = tick(lake, instance)
    assert skipped.skip_reason is not None
    assert "Nothing has been published" in str(skipped.skip_reason.skip_message)


def test_the_asset_does_the_same_when_someone_materializes_it(lake: Lake, instance: dg.DagsterInstance) -> None:
    publish(lake, sound=SOUND)
    done = dg.materialize([probes_asset([])], instance=instance, resources={"lake": lake})
    [event] = done.asset_materializations_for_node("ops__probes")
    assert event.metadata["probes"].value == 1
