"""The steps of a run: what the landing pass takes, and what the build's tests say to the audit."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from pipelines.errors import WorkFailedError
from pipelines.lake.connection import Lake
from pipelines.run import check_results, refresh, take_landing
from pipelines.settings import now
from pipelines.transformation.build import Build, Node
from tests.unit.ingestion.events import AT, event, query, text, write


def node(name: str, status: str, kind: str = "test", **more: object) -> Node:
    return replace(Node(f"{kind}.{name}", name, kind, status, 0.1), **more)  # type: ignore[arg-type]


def test_the_landing_pass_takes_what_is_ready_and_names_what_it_does_not_know(lake: Lake) -> None:
    lake = Lake(replace(lake.settings, landing_settle_seconds=60))
    landing = lake.settings.landing
    for name in ("a.jsonl", "notes.txt", "fresh.jsonl", ".hidden.jsonl"):
        path = write(landing / name, text(event(name)))
        age = 10 if name == "fresh.jsonl" else 100
        os.utime(path, (now().timestamp() - age,) * 2)
    taken = take_landing(lake, as_of=AT, at=now())
    assert [(each.source_file, each.status) for each in taken.results] == [("a.jsonl", "loaded")]
    assert [path.name for path in taken.unknown] == ["notes.txt"]
    assert sorted(path.name for path in landing.iterdir()) == [".hidden.jsonl", "fresh.jsonl", "notes.txt"]
    assert query(lake, "select distinct ingested_at from lake.raw.events") == [(AT.replace(tzinfo=None),)]


def test_the_age_limit_is_lifted_for_a_backfill(lake: Lake) -> None:
    lake = Lake(replace(lake.settings, landing_settle_seconds=0))
    path = lake.settings.landing / "a.jsonl"
    for backfill, accepted in ((False, 0), (True, 1)):
        write(path, text(event(1, at="2020-01-01T00:00:00Z", backfill=backfill)))
        os.utime(path, (0, 0))
        [result] = take_landing(lake, as_of=AT, at=now(), backfill=backfill).results
        assert result.accepted == accepted


def test_tests_of_the_build_become_results_of_the_audit() -> None:
    results = check_results(
        [
            node("fct_orders", "passed", kind="model"),
            node("a_unit_test", "passed", kind="unit_test"),
            node("is_unique", "passed", tested=("model.truelift.fct_orders",)),
            node("is_near", "warned", failures=2, message="Got 2 results", sample=({"id": 7, "x": None},)),
            node("is_known", "failed", failures=3),
            node("never_ran", "skipped"),
        ],
        {"fct_orders": "marts"},
    )
    assert [(each.table, each.check, each.severity, each.passed) for each in results] == [
        ("marts.fct_orders", "is_unique", "critical", True),
        ("dbt.is_near", "is_near", "warning", False),
        ("dbt.is_known", "is_known", "critical", False),
    ]
    assert (results[1].observed, results[1].sample) == ("Got 2 results", ("id=7, x=None",))
    assert results[2].observed == "3 failing rows"


def test_a_failed_build_publishes_nothing_and_is_named(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    with lake.writer():
        pass
    nodes = (node("fct_orders", "failed", kind="model", message="No such column"),)
    failed = Build(as_of=AT, seconds=0.0, full_refresh=False, nodes=nodes)
    monkeypatch.setattr("pipelines.run.build", lambda *_, **__: failed)
    phases: list[str] = []
    with pytest.raises(WorkFailedError, match="fct_orders: No such column"):
        refresh(lake, as_of=AT, at=AT, on_phase=phases.append)
    assert phases == ["build"]
    assert query(lake, "select count(*) from lake.ops.publish_log") == [(0,)]
