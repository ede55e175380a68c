"""The gate: what an audit finds is kept, and a critical failure stops publishing until its own check passes again."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest

from pipelines.errors import WorkFailedError
from pipelines.lake.audit import Audit, Scope, audit, failing_checks, forget_superseded_results
from pipelines.lake.connection import Lake
from pipelines.lake.publishing import publish, status
from quality.checks import CheckResult, RowsCheck, Suite
from tests.unit.lake.conftest import AT, Build

Marts = Callable[[int], int]

ALPHA = Suite(
    "marts.alpha",
    ("i",),
    (
        RowsCheck("is_not_13", "Unlucky.", "select i from batch where round = 13 and i < 3", real_time=True),
        RowsCheck(
            "agrees_with_beta",
            "Same round.",
            "select i from batch join lake.marts.beta b using (i) where b.round <> batch.round and i = 5",
        ),
        RowsCheck("is_small", "Small.", "select round from batch where round > 100 and i = 0", "warning", True),
    ),
)


def judge(lake: Lake, version: int, scope: Scope = "full", **more: object) -> Audit:
    return audit(lake, as_of=AT, run_id="r", version=version, scope=scope, suites=[ALPHA], **more)  # type: ignore[arg-type]


def test_a_wrong_number_stays_out_and_the_old_one_stays(lake: Lake, marts: Marts, build: Build) -> None:
    publish(lake, judge(lake, marts(1)), AT)
    marts(2)
    wrong = build("update lake.marts.alpha set round = 3 where i = 5")
    found = judge(lake, wrong)
    assert [(result.name, result.sample) for result in found.failures] == [("marts.alpha.agrees_with_beta", ("i=5",))]
    with pytest.raises(WorkFailedError, match=r"agrees_with_beta: 1 row, such as i=5.* stays"):
        publish(lake, found, AT)
    with lake.reader() as connection:
        assert connection.execute("select distinct round from lake.published.alpha").fetchall() == [(1,)]
    assert status(lake, AT).blocked_by == ("marts.alpha.agrees_with_beta",)


def test_what_is_judged_is_the_version_not_what_came_after(lake: Lake, marts: Marts) -> None:
    good = marts(1)
    bad = marts(13)
    for scope in ("full", "real_time"):
        assert not judge(lake, good, scope).failures
        assert [result.check for result in judge(lake, bad, scope).failures] == ["is_not_13"]


def test_results_are_kept_and_shown(lake: Lake, marts: Marts) -> None:
    version = marts(1000)
    found = judge(lake, version)
    assert not found.failures
    assert [result.check for result in found.warnings] == ["is_small"]
    with lake.reader() as connection:
        rows = connection.execute(
            """select audit_id, run_id, scope, version, as_of, table_name, check_name, severity, passed, unexpected_count,
                sample from lake.ops.quality_results order by check_name"""
        ).fetchall()
    at = AT.replace(tzinfo=None)
    assert rows == [
        (1, "r", "full", version, at, "marts.alpha", "agrees_with_beta", "critical", True, 0, "[]"),
        (1, "r", "full", version, at, "marts.alpha", "is_not_13", "critical", True, 0, "[]"),
        (1, "r", "full", version, at, "marts.alpha", "is_small", "warning", False, 1, '["round=1000"]'),
    ]
    page = (lake.settings.data_docs / "index.html").read_text()
    assert "agrees_with_beta" in page
    assert not re.search("https?:", page)


def test_last_nights_failure_blocks_this_mornings_batch_until_it_is_mended(
    lake: Lake, marts: Marts, build: Build
) -> None:
    publish(lake, judge(lake, marts(1)), AT)
    wrong = build("update lake.marts.alpha set round = 3 where i = 5")
    judge(lake, wrong)
    batch = judge(lake, wrong, "real_time")
    assert not [result for result in batch.results if result.blocks]
    assert [result.check for result in batch.standing] == ["agrees_with_beta"]
    with pytest.raises(WorkFailedError, match="agrees_with_beta"):
        publish(lake, batch, AT)
    assert not judge(lake, marts(4)).failures
    assert publish(lake, judge(lake, marts(5), "real_time"), AT).checks_passed == 2


def test_a_check_that_no_longer_exists_blocks_nothing(lake: Lake, marts: Marts) -> None:
    version = marts(1)
    removed = CheckResult("marts.alpha", "unique_i", "critical", False, "3 rows", 3)
    other = CheckResult("marts.alpha", "not_null_i", "critical", True, "0 rows", 0)
    assert judge(lake, version, build_results=[removed, other]).failures == (removed,)
    assert judge(lake, version, "real_time", build_results=[other]).standing == (removed,)
    assert judge(lake, version).standing == (removed,), "an audit without a build says nothing of its tests"
    assert not judge(lake, version, build_results=[other]).failures, (
        "all tests of the table ran, and it was not among them"
    )
    assert not judge(lake, version, "real_time").standing


def test_old_results_go_once_later_ones_have_taken_their_place(lake: Lake, marts: Marts) -> None:
    version, days = marts(1), [AT + timedelta(days=number) for number in range(3)]
    failed = CheckResult("marts.beta", "unique_i", "critical", False, "3 rows", 3)
    for at, scope, built in ((days[0], "full", [failed]), (days[1], "full", []), (days[2], "real_time", [])):
        audit(lake, as_of=at, run_id="r", version=version, scope=scope, build_results=built, suites=[ALPHA])  # type: ignore[arg-type]
    with lake.writer() as connection:
        before = failing_checks(connection)
        assert forget_superseded_results(connection, days[0]) == 0, "nothing is as old"
        assert forget_superseded_results(connection, days[2] + timedelta(days=9)) == 3, "of the first audit"
        kept = connection.execute("select audit_id, count(*) from lake.ops.quality_results group by all order by 1")
        assert kept.fetchall() == [(1, 1), (2, 3), (3, 2)], "what failed then, the last full audit, and later ones"
        assert failing_checks(connection) == before == (failed,)


def test_the_tests_of_the_build_count_alike(lake: Lake, marts: Marts) -> None:
    version = marts(1)
    failing = CheckResult("marts.beta", "unique_i", "critical", False, "3 rows", 3)
    mended = CheckResult("marts.beta", "unique_i", "critical", True, "0 rows", 0)
    judge(lake, version, "full", build_results=[failing])
    assert judge(lake, version, "real_time").standing == (failing,)
    assert not judge(lake, version, "real_time", build_results=[mended]).failures
    assert not judge(lake, version, "real_time").failures
