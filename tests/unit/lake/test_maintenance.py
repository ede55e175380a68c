"""Maintenance keeps what must stay readable, to the byte, and leaves no file that the catalog does not know."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from pipelines.lake.connection import Lake
from pipelines.lake.maintenance import maintain
from pipelines.lake.pinning import METADATA
from pipelines.lake.publishing import publish, rollback
from pipelines.settings import now
from tests.unit.lake.conftest import AT, Build, passed

Marts = Callable[[int], int]
LONG_AFTER = timedelta(days=30)


def on_disk(lake: Lake) -> set[Path]:
    return {path for path in Path(lake.settings.data_path).rglob("*") if path.is_file()}


def in_catalog(lake: Lake) -> set[Path]:
    """Paths of all data and delete files of all versions, read from the catalog's tables."""
    root = Path(lake.settings.data_path)
    with lake.reader() as connection:
        rows = connection.execute(
            f"""
            select s.path, t.path, f.path
            from (
                select table_id, path from {METADATA}.ducklake_data_file
                union all select table_id, path from {METADATA}.ducklake_delete_file
            ) f
            join {METADATA}.ducklake_table t using (table_id) join {METADATA}.ducklake_schema s using (schema_id)
            """
        ).fetchall()
    return {root / schema / table / file for schema, table, file in rows}


def churn(build: Build, rounds: int) -> list[int]:
    """A partitioned table that grows and changes as an incremental model does; the versions after each round."""
    build(
        "create table lake.marts.daily (day date, key bigint, amount decimal(18, 4))",
        "alter table lake.marts.daily set partitioned by (day)",
    )
    versions = []
    for number in range(rounds):
        day = f"date '2025-06-01' + {number % 3}"
        versions.append(
            build(
                "begin",
                f"delete from lake.marts.daily where day = {day} and key % 7 = {number % 7}",
                f"insert into lake.marts.daily select {day}, range, {number} from range({100 + number})",
                "commit",
                f"update lake.marts.daily set amount = amount + 1 where key = {number}",
            )
        )
    return versions


def contents(lake: Lake, *versions: int | None) -> dict[int | None, list[tuple[object, ...]]]:
    """The rows of the table at each version; None is the present."""
    with lake.reader() as connection:
        return {
            version: connection.execute(
                f"from lake.marts.daily {f'at (version => {version})' if version else ''} order by all"
            ).fetchall()
            for version in versions
        }


def test_pinned_versions_read_the_same_and_every_file_is_known(lake: Lake, build: Build) -> None:
    versions = churn(build, 12)
    pinned = [versions[2], versions[7]]
    for version in pinned:
        publish(lake, passed(version), AT)
    before = contents(lake, *pinned, None)
    report = maintain(lake, now() + LONG_AFTER, at_once=True)
    assert contents(lake, *pinned, None) == before
    assert on_disk(lake) == in_catalog(lake)
    assert report.pinned == (versions[7], versions[2])
    assert report.snapshots_expired > 10
    assert report.snapshots_kept == 5, "the pinned, the newest, and the two of the compaction"
    assert report.after.files < report.before.files
    assert report.files_deleted > 0
    assert rollback(lake, AT).version == versions[2]
    again = maintain(lake, now() + LONG_AFTER, at_once=True)
    assert contents(lake, *pinned, None) == before
    assert on_disk(lake) == in_catalog(lake)
    assert again.orphans_deleted == 0


def test_small_files_become_few_even_when_rows_were_deleted_from_all(lake: Lake, build: Build) -> None:
    churn(build, 9)
    maintain(lake, now() + LONG_AFTER, at_once=True)
    with lake.reader() as connection:
        files = connection.execute(
            "select file_count, delete_file_count from ducklake_table_info('lake') where table_name = 'daily'"
        ).fetchall()
    assert files == [(3, 0)], "one file for each of the three days"


def test_a_file_with_few_deleted_rows_is_left_alone(lake: Lake, build: Build) -> None:
    build(
        "create table lake.marts.daily as select range as key from range(1000)",
        "delete from lake.marts.daily where key = 1",
    )
    maintain(lake, now() + LONG_AFTER, at_once=True)
    with lake.reader() as connection:
        files = "select file_count, delete_file_count from ducklake_table_info('lake') where table_name = 'daily'"
        assert connection.execute(files).fetchall() == [(1, 1)]
    build("delete from lake.marts.daily where key < 300")
    maintain(lake, now() + LONG_AFTER, at_once=True)
    with lake.reader() as connection:
        assert connection.execute(files).fetchall() == [(1, 0)]
    assert contents(lake, None)[None][0] == (300,)


def test_young_snapshots_and_files_in_use_stay(lake: Lake, build: Build) -> None:
    versions = churn(build, 3)
    before = contents(lake, versions[0])
    report = maintain(lake, now())
    assert report.snapshots_expired == 0
    assert report.files_deleted == 0
    assert contents(lake, versions[0]) == before


def test_replaced_files_wait_for_running_queries(lake: Lake, build: Build) -> None:
    churn(build, 6)
    report = maintain(lake, now())
    assert report.waiting_files > 0
    assert in_catalog(lake) < on_disk(lake)
    the_next_day_but_one = now() + timedelta(days=2)
    later = maintain(lake, the_next_day_but_one)
    assert later.files_deleted >= report.waiting_files
    assert on_disk(lake) == in_catalog(lake)


KILLED_WRITER = """
import os, signal, sys
from pipelines.lake.connection import Lake
from pipelines.settings import load_settings
lake = Lake(load_settings({"TRUELIFT_HOME": sys.argv[1], "TRUELIFT_MEMORY_LIMIT": "120MB", "TRUELIFT_THREADS": "1"}))
with lake.writer() as connection:
    connection.execute("begin")
    connection.execute("insert into lake.marts.daily select date '2025-06-09', range, 1 from range(1000)")
    spilled = connection.execute("select md5(range::varchar) as m, range from range(6000000) order by m")
    spilled.fetchone()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_writer_left_is_removed(lake: Lake, build: Build) -> None:
    churn(build, 2)
    before = contents(lake, None)
    subprocess.run([sys.executable, "-c", KILLED_WRITER, str(lake.settings.home)], check=False, env={**os.environ})
    assert on_disk(lake) - in_catalog(lake), "the killed writer left a file"
    spills = lake.settings.lake_dir / "tmp"
    assert any(spills.iterdir()), "and spilled"
    report = maintain(lake, now(), at_once=True)
    assert report.orphans_deleted >= 1
    assert report.spill_folders_deleted == 1
    assert not any(spills.iterdir())
    assert on_disk(lake) == in_catalog(lake)
    assert contents(lake, None) == before


def test_the_archive_is_purged_by_age(lake: Lake, build: Build) -> None:
    old, young = lake.settings.archive / "2025" / "old.jsonl", lake.settings.archive / "young.jsonl"
    old.parent.mkdir()
    old.write_text("123456")
    young.write_text("1")
    moment = now()
    aged = (moment - timedelta(days=lake.settings.archive_retention_days, minutes=1)).timestamp()
    os.utime(old, (aged, aged))
    report = maintain(lake, moment)
    assert (report.archive_files_deleted, report.archive_bytes_deleted) == (1, 6)
    assert young.exists()
    assert not old.exists()


def test_the_catalog_shrinks(lake: Lake, build: Build) -> None:
    churn(build, 20)
    report = maintain(lake, now() + LONG_AFTER, at_once=True)
    assert report.catalog_bytes_after < report.catalog_bytes_before


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_any_history_survives_maintenance(lake: Lake, build: Build, seed: int) -> None:
    """Every unexpired version reads as it did when it was made, after maintenances at any point in between."""
    chance = random.Random(seed)
    build("create table lake.marts.daily (day date, key bigint, amount decimal(18, 4))")
    if seed % 2:
        build("alter table lake.marts.daily set partitioned by (day)")
    eager = Lake(replace(lake.settings, snapshot_retention_days=0))
    made: dict[int | None, list[tuple[object, ...]]] = {}
    for step in range(15):
        key, day = chance.randrange(400), f"date '2025-06-01' + {chance.randrange(3)}"
        version = build(
            chance.choice(
                [
                    f"insert into lake.marts.daily select {day}, range, {step} from range({chance.randrange(1, 300)})",
                    f"delete from lake.marts.daily where key between {key} and {key + chance.randrange(80)}",
                    f"update lake.marts.daily set amount = amount + 1 where key % 50 = {key % 50}",
                    f"create or replace table lake.marts.daily as from lake.marts.daily where key <> {key}",
                ]
            )
        )
        made |= {version: contents(lake, None)[None]}
        if chance.random() < 0.3:
            publish(lake, passed(version), AT)
        if chance.random() < 0.25:
            report = maintain(eager, now() + LONG_AFTER, at_once=True)
            made = {version: rows for version, rows in made.items() if version in report.pinned}
            assert on_disk(lake) == in_catalog(lake)
        assert contents(lake, *made) == made
