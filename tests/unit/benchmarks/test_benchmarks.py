"""What benchmarks make of their samples, and that a fork leaves the lake it came from alone. No speed is asserted."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.homes import Day, Home, Scratch
from benchmarks.jobs import floor, simulate
from benchmarks.process import run_python
from benchmarks.results import Record, Result, Target, figure, read_record, write_record
from benchmarks.typical import typical_queries
from pipelines.errors import WorkFailedError
from pipelines.lake.connection import Lake, connect
from pipelines.settings import Settings, load_settings

RECORD = Record(
    result=Result(
        benchmark="batch",
        figures=(figure("onto much", "s", [3.0, 1.0, 2.0]),),
        targets=(Target("onto much", "s", 2.0, 1.5), Target("speed", "1/s", 2.0, 1.5, at_least=True)),
        profile=(("build", 1.25),),
    ),
    measured_on="2025-06-01",
    scale=1.0,
    machine={"cores": "2"},
    versions={"python": "3.11"},
)


@pytest.mark.parametrize(
    ("day", "files", "campaigns"), [(Day(300, 50), 1, 24), (Day(300, 50, days=3, campaigns=8), 3, 8)]
)
def test_as_many_days_are_simulated_as_their_name_says(tmp_path: Path, day: Day, files: int, campaigns: int) -> None:
    simulate(out=str(tmp_path), **day.inputs)
    assert len(list(tmp_path.glob("events-*.jsonl"))) == files
    assert len((tmp_path / "campaigns.csv").read_text().splitlines()) == 1 + campaigns
    assert day.name != Day(300, 50, days=2, campaigns=8).name


def test_a_figure_sums_up_its_samples() -> None:
    few = figure("x", "s", [3.0, 1.0, 2.0])
    assert (few.runs, few.minimum, few.median, few.p95) == (3, 1.0, 2.0, None)
    many = figure("x", "s", [float(n) for n in range(101)])
    assert many.p95 == pytest.approx(95.0)


def test_a_record_survives_its_file(tmp_path: Path) -> None:
    assert read_record(write_record(RECORD, tmp_path)) == RECORD


def test_the_readme_shows_the_stored_figures_and_keeps_its_prose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- figures: begin -->\nold\n<!-- figures: end -->\nafter\n")
    monkeypatch.setattr(report, "README", readme)
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    write_record(RECORD, tmp_path)
    for _ in range(2):
        report.write_readme(["batch", "never_measured"])
        text = readme.read_text()
        assert text.startswith("before\n")
        assert text.endswith("\nafter\n")
        assert "old" not in text
        assert text.count("| onto much | s | 3 | 1.00 | 2.00 |  |") == 1
        assert "| batch | onto much | ≤ 1.50 s | 2.00 s | **missed** |" in text
        assert "| batch | speed | ≥ 1.50 1/s | 2.00 1/s | met |" in text


def test_a_fork_leaves_its_origin_alone(tmp_path: Path) -> None:
    origin = Home(tmp_path / "origin", tmp_path / "origin" / "lake" / "data")
    with Lake(load_settings(origin.environment).prepare()).writer() as connection:
        connection.execute("create table lake.t as select 1 as x")
    files = sorted(path for path in origin.data.rglob("*") if path.is_file())
    with (
        Scratch(tmp_path / "scratch", keep=False).fork(origin) as fork,
        Lake(load_settings(fork.environment)).writer() as connection,
    ):
        connection.execute("insert into lake.t values (2)")
        connection.execute("delete from lake.t where x = 1")
        assert connection.execute("select x from lake.t").fetchall() == [(2,)]
    assert sorted(path for path in origin.data.rglob("*") if path.is_file()) == files
    with Lake(load_settings(origin.environment)).reader() as connection:
        assert connection.execute("select x from lake.t").fetchall() == [(1,)]


def test_the_floor_keeps_every_line_and_types_its_fields(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRUELIFT_HOME", str(settings.home))
    lines = tmp_path / "events.jsonl"
    lines.write_text(
        '{"event_id":"8209e880-248f-451e-9e09-4f91c476d0cc","event_type":"user_purchased",'
        '"timestamp":"2025-06-01T12:00:00+02:00","properties":{"order_value":12.5},"context":{"region":"north"}}\n'
        "no json\n"
    )
    floor(files=[str(lines)], out=str(tmp_path / "floor.parquet"))
    with connect(settings) as connection:
        rows = connection.execute(
            "select event_id::varchar, timestamp::varchar, order_value::varchar, region from read_parquet($path) order by all",
            {"path": str(tmp_path / "floor.parquet")},
        ).fetchall()
    assert rows == [
        ("8209e880-248f-451e-9e09-4f91c476d0cc", "2025-06-01 10:00:00+00", "12.5000", "north"),
        (None, None, None, None),
    ]


def test_typical_queries_ask_for_the_largest_group(lake: Lake) -> None:
    with lake.writer() as connection:
        connection.execute(
            "create view lake.published.v as from (values ('7d', 1), ('30d', 2), ('30d', 3)) t(window_label, x)"
        )
        connection.execute("create view lake.published.w as select 1 as x")
        connection.execute("use lake.published")
        answers = {query.name: query.rows(connection) for query in typical_queries(connection)}
    assert len(answers["v: first rows"]) == 3
    assert sorted(answers["v: one window_label"]) == [("30d", 2), ("30d", 3)]
    assert answers["v: count by window_label"] == [("30d", 2), ("7d", 1)]
    assert answers["w: first rows"] == [(1,)]
    assert len(answers) == 4


def test_a_child_is_measured_whole() -> None:
    started = time.perf_counter()
    finished = run_python(["-c", "import sys; held = b'x' * 300_000_000; print(len(held))"], {})
    assert finished.output == "300000000\n"
    assert finished.peak_bytes > 300_000_000
    assert 0 < finished.seconds <= time.perf_counter() - started


def test_a_child_that_fails_says_why() -> None:
    with pytest.raises(WorkFailedError, match="no such luck"):
        run_python(["-c", "raise SystemExit('no such luck')"], {})
