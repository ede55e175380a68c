"""What Dagster is told: it loads, every table is described, the lineage is whole, writers share the pool."""

import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph

from pipelines.definitions import POOL, Overrides, build_definitions
from pipelines.settings import Settings, load_settings
from pipelines.transformation.assets import load_manifest
from quality.checks import RowsCheck
from quality.suites import SUITES

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings({"TRUELIFT_HOME": str(tmp_path_factory.mktemp("home"))}).prepare()


@pytest.fixture(scope="module")
def definitions(home: Settings) -> dg.Definitions:
    return build_definitions(Overrides(settings=home))


@pytest.fixture(scope="module")
def graph(definitions: dg.Definitions) -> AssetGraph:
    return definitions.resolve_asset_graph()


def of_schema(graph: AssetGraph, schema: str) -> set[dg.AssetKey]:
    return {key for key in graph.get_all_asset_keys() if key.path[0] == schema}


def test_they_are_valid(definitions: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(definitions)


def test_importing_them_does_nothing(tmp_path: Path) -> None:
    script = (
        "import socket, subprocess, sys, dagster, dagster_dbt\n"
        "def refuse(*_, **__): raise AssertionError('the import reached out')\n"
        "subprocess.Popen = socket.create_connection = refuse\n"
        "import pipelines.definitions\n"
        "assert 'great_expectations' not in sys.modules\n"
    )
    environment = {"TRUELIFT_HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin"}
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, check=True, timeout=120)
    assert list(tmp_path.iterdir()) == [], "an import must not create anything"


def test_every_asset_says_what_it_is(graph: AssetGraph) -> None:
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description, key
        assert node.owners and all(owner.startswith("team:") for owner in node.owners), key
        assert node.group_name != "default", key
        assert node.kinds, key


def test_every_table_shows_its_columns(graph: AssetGraph) -> None:
    tables = [key for schema in ("raw", "intermediate", "marts", "published") for key in of_schema(graph, schema)]
    without = [key.to_user_string() for key in tables if not graph.get(key).metadata.get("dagster/column_schema")]
    assert not without


def test_the_lineage_is_whole(graph: AssetGraph) -> None:
    origin = dg.AssetKey(["landing", "files"])
    for key in of_schema(graph, "published"):
        assert graph.get(key).parent_keys == {dg.AssetKey(["marts", key.path[-1]])}

    @cache
    def comes_from_landing(key: dg.AssetKey) -> bool:
        return key == origin or any(comes_from_landing(parent) for parent in graph.get(key).parent_keys)

    assert of_schema(graph, "published") == {
        dg.AssetKey(["published", key.path[-1]]) for key in of_schema(graph, "marts")
    }
    rootless = [key.to_user_string() for key in of_schema(graph, "raw") if not comes_from_landing(key)]
    assert not rootless


def test_loads_and_asked_days_come_before_everything_made_of_events(graph: AssetGraph) -> None:
    @cache
    def follows(origin: str, key: dg.AssetKey) -> bool:
        parents = graph.get(key).parent_keys
        return any(parent.to_user_string() == origin or follows(origin, parent) for parent in parents)

    for key in of_schema(graph, "intermediate") | of_schema(graph, "marts"):
        if follows("raw/events", key):
            assert follows("ops/touched_days", key), key
            assert follows("ops/load_log", key), key


@pytest.mark.parametrize("job", ["refresh", "nightly"])
def test_the_steps_of_a_run_wait_for_each_other(definitions: dg.Definitions, job: str) -> None:
    structure = definitions.resolve_job_def(job).graph.dependency_structure
    outputs = {
        step: {
            output.node_name
            for outputs in structure.input_to_upstream_outputs_for_node(step).values()
            for output in outputs
        }
        for step in ("transformation", "audit_and_publish")
    }
    assert "ingestion" in outputs["transformation"]
    assert "transformation" in outputs["audit_and_publish"]


def test_every_dbt_test_is_a_check(definitions: dg.Definitions, graph: AssetGraph, home: Settings) -> None:
    nodes = load_manifest(home)["nodes"].values()
    tests = {node["name"] for node in nodes if node["resource_type"] == "test"}
    checks = {key.name for key in graph.asset_check_keys}
    assert tests, "the project has tests"
    assert tests <= checks
    assert all(graph.get(key).description for key in graph.asset_check_keys)


def test_real_time_checks_compare_only_what_a_landing_batch_refreshes(home: Settings) -> None:
    models = {
        f"{node['schema']}.{node['name']}": node
        for node in load_manifest(home)["nodes"].values()
        if node["resource_type"] == "model"
    }
    stale = {
        name
        for name, node in models.items()
        if "real_time" not in node["tags"] and node["config"]["materialized"] != "view"
    }
    assert stale, "some models are refreshed less often"
    for suite in SUITES:
        for check in suite.checks:
            if isinstance(check, RowsCheck) and check.real_time:
                compared = {suite.table, *re.findall(r"lake\.(\w+\.\w+)", check.query)}
                assert len(compared) == 1 or not compared & stale, f"{suite.table}.{check.name}"


def writing_steps(definitions: dg.Definitions) -> Iterator[dg.OpDefinition]:
    for job in definitions.resolve_all_job_defs():
        for node in job.nodes:
            assert isinstance(node.definition, dg.OpDefinition)
            yield node.definition


def test_every_step_writes_through_the_pool(definitions: dg.Definitions) -> None:
    steps = {step.name: step.pool for step in writing_steps(definitions)}
    assert set(steps) >= {"ingestion", "transformation", "audit_and_publish"}
    assert steps.pop("ops__probes") is None, "probes only read, and are due while a run is writing"
    assert steps.pop("judge_freshness") is None, "what only reads waits for nobody"
    assert set(steps.values()) == {POOL}


def test_the_jobs_cover_what_they_promise(definitions: dg.Definitions, graph: AssetGraph) -> None:
    def keys(job: str) -> set[dg.AssetKey]:
        return set(definitions.resolve_job_def(job).asset_layer.executable_asset_keys)

    published = of_schema(graph, "published")
    everything = {key for schema in ("raw", "staging", "intermediate", "marts") for key in of_schema(graph, schema)}
    assert keys("nightly") >= everything | published
    assert keys("refresh") >= of_schema(graph, "raw") | published
    assert keys("refresh") < keys("nightly")
    assert keys("recompute_days") >= published | {dg.AssetKey(["ops", "touched_days"])}
    checks = definitions.resolve_job_def("freshness").asset_layer.executable_asset_keys
    assert not checks, "it judges and makes nothing"
    assert keys("maintenance") == {dg.AssetKey(["ops", "maintenance"])}


def test_they_work_by_themselves(definitions: dg.Definitions) -> None:
    repository = definitions.get_repository_def()
    sensors = {sensor.name: sensor.default_status for sensor in repository.sensor_defs}
    schedules = {schedule.name: schedule for schedule in repository.schedule_defs}
    assert sensors == dict.fromkeys(("landing", "failure_alert", "probes"), dg.DefaultSensorStatus.RUNNING)
    assert schedules.keys() == {"nightly_schedule", "training_schedule", "maintenance_schedule", "freshness_schedule"}
    assert {each.default_status for each in schedules.values()} == {dg.DefaultScheduleStatus.RUNNING}
    assert {each.execution_timezone for each in schedules.values()} == {"UTC"}


@pytest.mark.parametrize(("catalog", "executor"), [("", "in_process"), ("postgres://db/lake", "multiprocess")])
def test_steps_get_processes_of_their_own_on_a_server(tmp_path: Path, catalog: str, executor: str) -> None:
    settings = load_settings({"TRUELIFT_HOME": str(tmp_path), "TRUELIFT_CATALOG": catalog}).prepare()
    built = build_definitions(Overrides(settings=settings))
    assert isinstance(built.executor, dg.ExecutorDefinition)
    assert built.executor.name == executor
