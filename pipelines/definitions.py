"""The one place where everything that Dagster knows is assembled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dagster import (
    AssetSelection,
    Definitions,
    ExecutorDefinition,
    in_process_executor,
    multiprocess_executor,
)

from pipelines.automation.alerts import failure_alert
from pipelines.automation.jobs import job, schedule
from pipelines.automation.sensors import landing_sensor
from pipelines.ingestion.assets import freshness_checks, ingestion_assets, landing_spec, touched_days_asset
from pipelines.lake.assets import maintenance_asset, published_assets, real_time_checks
from pipelines.lake.connection import Lake
from pipelines.lake.pinning import SOURCE, TARGET
from pipelines.modeling.assets import models_asset
from pipelines.operations.assets import probes_asset, probes_sensor
from pipelines.settings import Settings, load_settings
from pipelines.transformation.assets import (
    Manifest,
    build_log_spec,
    load_manifest,
    nightly_checks,
    real_time_models,
    transformation_assets,
)
from quality.checks import Suite
from quality.suites import SUITES

POOL = "lake_writer"
"""The pool of every step that writes to the lake; its limit of one is set in ``deploy/*/dagster.yaml``."""


@dataclass(frozen=True)
class Overrides:
    """What a test or another deployment may put in the place of the usual parts; None keeps the usual one."""

    settings: Settings | None = None
    manifest: Manifest | None = None
    suites: Sequence[Suite] | None = None
    executor: ExecutorDefinition | None = None


def definitions() -> Definitions:
    """What ``workspace.yaml`` loads: everything, for the deployment that the environment describes."""
    return build_definitions()


def build_definitions(overrides: Overrides | None = None) -> Definitions:
    """Assemble assets, checks, jobs, schedules, sensors and resources. Raises UserError for a wrong environment."""
    given = overrides or Overrides()
    settings = given.settings or load_settings().prepare()
    manifest = given.manifest or load_manifest(settings)
    suites = SUITES if given.suites is None else given.suites

    ingestion = ingestion_assets(POOL)
    touched_days = touched_days_asset(POOL)
    transformation = transformation_assets(manifest, POOL)
    marts = [spec for spec in transformation.specs if spec.key.path[0] == SOURCE]
    published = published_assets(marts, suites, POOL)
    models = models_asset(POOL)
    maintenance = maintenance_asset(POOL)
    probes = probes_asset(sorted(key for key in published.keys if key.path[0] == TARGET))
    freshness = freshness_checks()

    taken_in, readable = AssetSelection.assets(ingestion), AssetSelection.assets(published)
    slow_checks = nightly_checks(manifest) | (set(published.check_keys) - real_time_checks(suites))
    refresh = job("refresh", (taken_in | real_time_models(manifest) | readable) - AssetSelection.checks(*slow_checks))
    nightly = job("nightly", taken_in | AssetSelection.assets(transformation) | readable)
    days = job("recompute_days", AssetSelection.assets(touched_days, transformation) | readable)
    training = job("training", AssetSelection.assets(models))
    upkeep = job("maintenance", AssetSelection.assets(maintenance))
    watch = job("freshness", AssetSelection.checks(freshness))
    return Definitions(
        assets=[
            *(landing_spec(), build_log_spec(), ingestion, touched_days),
            *(transformation, published, models, maintenance, probes),
        ],
        asset_checks=[freshness],
        jobs=[refresh, nightly, days, training, upkeep, watch],
        schedules=[schedule(each) for each in (nightly, training, upkeep, watch)],
        sensors=[landing_sensor(refresh, nightly), failure_alert(), probes_sensor()],
        resources={"lake": Lake(settings)},
        executor=given.executor or _executor(settings),
    )


def _executor(settings: Settings) -> ExecutorDefinition:
    """Steps in the run's own process where one process writes anyway; in processes of their own on a server.

    Starting a process for each of a run's steps costs far more than the steps of a small lake take.
    """
    if settings.has_sqlite_catalog:
        return in_process_executor
    preload = {"forkserver": {"preload_modules": ["pipelines.definitions"]}}
    return multiprocess_executor.configured({"start_method": preload})
