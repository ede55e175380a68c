"""Commands do what they say, and tell people's mistakes (2) from failed work (1) without a stack trace."""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import sys
from pathlib import Path

import pytest

from pipelines import cli
from pipelines.lake.connection import Lake
from pipelines.settings import Settings
from tests.unit.conftest import Truelift
from tests.unit.ingestion.events import AT, event, query, text, write

AS_OF = ("--as-of", AT.isoformat())


@pytest.fixture
def landing(settings: Settings) -> Path:
    return settings.landing


def test_landed_files_are_taken_in_and_shown(truelift: Truelift, landing: Path, lake: Lake) -> None:
    write(landing / "a[1].jsonl", text(event(1), event(2)) + "no json\n")
    done = truelift("ingest", *AS_OF)
    assert (done.code, done.err) == (0, "")
    assert "a[1].jsonl" in done.out
    assert "1 loads: 3 lines = 2 accepted + 0 duplicates + 1 rejected + 0 filtered" in done.out
    assert "Nothing new to take in." in truelift("ingest", *AS_OF).out
    assert query(lake, "select count(*) from lake.raw.events") == [(2,)]


def test_a_file_of_no_known_kind_stays_and_is_named(truelift: Truelift, landing: Path) -> None:
    for name in ("notes[b].txt", "a.csv"):
        write(landing / name, "x")
    write(landing / "a.jsonl", text(event(1)))
    done = truelift("ingest", *AS_OF)
    assert done.code == 0
    for name in ("notes[b].txt", "a.csv"):
        assert f"{name} stays in the landing folder" in done.err
        assert (landing / name).exists()


@pytest.mark.parametrize("name", ["bad.jsonl.gz", "campaigns.csv"])
def test_a_bad_file_fails_the_work_after_the_others_are_done(
    truelift: Truelift, landing: Path, lake: Lake, name: str
) -> None:
    write(landing / name, "title\nspring\n")
    write(landing / "good.jsonl", text(event(1)))
    done = truelift("ingest", *AS_OF)
    assert done.code == 1
    assert done.err.startswith("Failed: 1 of 2 files could not be taken in: ")
    assert name in done.err
    assert "They are as they were; the others are done." in done.err
    assert [path.name for path in landing.iterdir()] == [name]
    assert query(lake, "select count(*) from lake.raw.events") == [(1,)]


SHOP = """
description: A shop
license: ours
inputs:
  orders: {files: orders.csv}
outputs:
  - target: user_purchased
    from: orders
    fields: {event_id: uuid_from(id), timestamp: placed, user_id: id, order_id: uuid_from(id), order_value: amount}
"""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["none.jsonl"], ["none.jsonl does not exist.", "Give a file or a folder of files."]),
        (["."], ["holds no event file.", ".jsonl.gz"]),
        (["orders.csv"], ["orders.csv is neither an event file nor a reference input.", "--source"]),
        (["a.jsonl", "--as-of", "someday"], ["'someday' is not an instant.", "2025-06-30T12:00:00Z"]),
        (["--source", "nobody"], ["nobody", "completejourney"]),
        ([".", "--source", "shop"], ["there is no column amount in orders.csv", "id, placed, total"]),
        (["a.jsonl", "b.jsonl"], ["unexpected extra argument"]),
    ],
)
def test_a_mistake_is_answered_with_the_thing_and_the_remedy(
    truelift: Truelift, settings: Settings, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: list[str]
) -> None:
    folder = settings.home / "files"
    write(folder / "orders.csv", "id,placed,total\n1,2025-06-01T10:00:00Z,5\n")
    write(settings.home / "sources" / "shop.yml", SHOP)
    monkeypatch.chdir(folder)
    done = truelift("ingest", *arguments)
    assert done.code == 2
    assert all(word in done.err for word in words), done.err


@pytest.mark.parametrize("command", [["run"], ["sql", "select 1"], ["doctor"], ["publish", "status"]])
def test_a_wrong_setting_is_a_mistake_of_every_command(
    truelift: Truelift, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.setenv("TRUELIFT_THREADS", "many")
    done = truelift(*command)
    assert done.code == 2
    assert "TRUELIFT_THREADS is 'many'." in done.err


def test_a_lake_that_another_process_writes_is_not_waited_for_forever(
    truelift: Truelift, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TRUELIFT_LOCK_TIMEOUT_SECONDS", "0")
    path = write(settings.lake_dir / "writer.lock", "4711")
    with path.open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        done = truelift("ingest", write(tmp_path / "a.jsonl", ""))
    assert done.code == 1
    assert "Another process (pid 4711) has been writing" in done.err
    assert "TRUELIFT_LOCK_TIMEOUT_SECONDS" in done.err
    assert truelift("ingest", tmp_path / "a.jsonl").code == 0, "the number in the file alone holds nobody up"


@pytest.mark.parametrize(
    "command", [["sql", "select 1"], ["publish", "status"], ["publish", "history"], ["quarantine", "list"]]
)
def test_reading_where_no_lake_is_yet_is_a_mistake(truelift: Truelift, settings: Settings, command: list[str]) -> None:
    done = truelift(*command)
    assert done.code == 2
    assert f"There is no lake at {settings.catalog_url} yet." in done.err
    assert "truelift run" in done.err
    assert not Path(settings.catalog_url).exists(), "looking makes none"


def test_a_lake_that_was_killed_while_it_was_made_is_none_yet(
    truelift: Truelift, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("pipelines.lake.connection.create_tables", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError), lake.writer():
            pass
    assert "There is no lake" in truelift("publish", "status").err
    assert truelift("maintain").code == 0
    assert truelift("publish", "status").code == 0


def test_a_lake_without_a_publication_says_so(truelift: Truelift, tmp_path: Path) -> None:
    truelift("ingest", write(tmp_path / "a.jsonl", text(event(1))), *AS_OF)
    status = truelift("publish", "status")
    assert status.code == 0
    assert "Nothing has been published yet." in status.out
    assert "versions to roll back to: none" in status.out
    assert truelift("publish", "history").code == 0
    back = truelift("publish", "rollback")
    assert (back.code, "Nothing has been published yet." in back.err) == (2, True)


@pytest.fixture
def published(lake: Lake) -> Lake:
    """A lake with one published view, whose texts look like markup."""
    with lake.writer() as connection:
        connection.execute(
            """create view lake.published.figures as
            select 1 as number, '[sale] :fire: [/x]' as name, 12.50::decimal(18,4) as amount, date '2025-06-01' as day"""
        )
    return lake


def test_a_query_prints_a_table_as_it_is(truelift: Truelift, published: Lake) -> None:
    done = truelift("sql", "select * from figures")
    assert done.code == 0
    assert [cell.strip() for cell in done.out.splitlines()[3].split("│")[1:5]] == [
        "1",
        "[sale] :fire: [/x]",
        "12.5000",
        "2025-06-01",
    ]


def test_a_query_prints_csv_and_json_that_read_back(truelift: Truelift, published: Lake) -> None:
    [row] = csv.DictReader(io.StringIO(truelift("sql", "from figures", "--format", "csv").out))
    assert row == {"number": "1", "name": "[sale] :fire: [/x]", "amount": "12.5000", "day": "2025-06-01"}
    [record] = json.loads(truelift("sql", "from published.figures", "--format", "json").out)
    assert record == {"number": 1, "name": "[sale] :fire: [/x]", "amount": 12.5, "day": "2025-06-01"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["select * from nothing"], "Table with name nothing does not exist"),
        (["selec 1"], "syntax error"),
        ([""], "The query is empty."),
        (["delete from lake.raw.events"], "read-only"),
        (["create table lake.marts.x as select 1"], "read-only"),
        (["select 1 as a, 2 as a", "--format", "json"], "Two columns are named a."),
        (["select 1", "--format", "xml"], "'table', "),
    ],
)
def test_a_query_that_can_not_be_is_a_mistake(
    truelift: Truelift, published: Lake, arguments: list[str], words: str
) -> None:
    done = truelift("sql", *arguments)
    assert (done.code, done.out) == (2, "")
    assert words in done.err


def test_quarantined_lines_are_listed_repaired_and_released(truelift: Truelift, tmp_path: Path, lake: Lake) -> None:
    content = text(event(1, order_value=-5), event(2, at="2024-01-01T00:00:00Z"))
    assert truelift("ingest", write(tmp_path / "a.jsonl", content), *AS_OF).code == 0
    table = truelift("quarantine", "list").out
    assert "negative_amount" in table
    assert "timestamp_too_old" in table
    printed = truelift("quarantine", "list", "--format", "json", "--reason", "negative_amount").out
    edited = write(tmp_path / "edited.json", printed.replace(r"\"order_value\": -5", r"\"order_value\": 5"))
    done = truelift("quarantine", "retry", "--from", edited, *AS_OF)
    assert done.out.strip() == "1 lines released, 0 were stored already, 0 fail again."
    again = truelift("quarantine", "retry", "--from", edited, *AS_OF)
    assert again.code == 2
    assert "Line 1 of load 1 is not waiting in quarantine." in again.err
    assert "0 were stored already, 1 fail again." in truelift("quarantine", "retry", *AS_OF).out
    assert truelift("quarantine", "retry", "--backfill", *AS_OF).out.startswith("1 lines released")
    assert "Nothing waits in quarantine." in truelift("quarantine", "retry", *AS_OF).out
    assert query(lake, "select count(*) from lake.raw.events") == [(2,)]
    for arguments in (["list", "--reason", "typo"], ["list", "--format", "xml"], ["retry", "--from", tmp_path]):
        assert truelift("quarantine", *arguments).code == 2


def test_a_small_company_is_simulated(truelift: Truelift, tmp_path: Path) -> None:
    sizes = ("--events", 300, "--customers", 20, "--days", 2, "--end", "2025-06-10T12:00:00Z")
    done = truelift("simulate", "--out", tmp_path / "company", *sizes)
    assert done.code == 0
    assert "300 events of 20 customers" in done.out
    assert (tmp_path / "company" / "campaigns.csv").exists()
    assert (tmp_path / "company" / "truth").is_dir()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Missing option '--out'"),
        (["--out", "x", "--days", "0"], "days is 0; it must be at least 1."),
        (["--out", "x", "--events", "-5"], "events is -5; it must be at least 1."),
        (["--out", "x", "--customers", "0"], "customers is 0; it must be at least 1."),
        (["--out", "x", "--seed", "-1"], "seed is -1; it must be at least 0."),
        (["--out", "x", "--days", "100000000"], "No such company"),
        (["--out", "x", "--days", "five"], "Invalid value for '--days'"),
        (["--out", "x", "--end", "never"], "'never' is not an instant."),
        (["--out", "file"], "file can't be written: File exists."),
    ],
)
def test_a_company_that_can_not_be_is_a_mistake(
    truelift: Truelift, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "file", "")
    done = truelift("simulate", *arguments)
    assert done.code == 2
    assert words in done.err


def test_maintenance_says_what_it_did(truelift: Truelift, tmp_path: Path) -> None:
    truelift("ingest", write(tmp_path / "a.jsonl", text(event(1))), *AS_OF)
    done = truelift("maintain")
    assert done.code == 0
    assert "orphans deleted" in done.out


@pytest.mark.parametrize("ends", [KeyboardInterrupt(), RuntimeError("Query interrupted")])
def test_ctrl_c_is_no_stack_trace(truelift: Truelift, monkeypatch: pytest.MonkeyPatch, ends: BaseException) -> None:
    def interrupted(*_: object) -> None:
        raise ends

    monkeypatch.setattr(cli, "print_query", interrupted)
    done = truelift("sql", "select 1")
    assert done.code == 130
    assert "Interrupted; what was committed stays" in done.err


def test_a_defect_keeps_its_stack_trace(truelift: Truelift, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(cli, "print_query", broken)
    with pytest.raises(RuntimeError, match="a defect"):
        truelift("sql", "select 1")


def test_dev_starts_dagster_in_the_home(
    truelift: Truelift, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[str, list[str], dict[str, str]]] = []
    monkeypatch.setattr(os, "execve", lambda *arguments: started.append(arguments))
    done = truelift("dev", "--port", 3456)
    assert str(settings.landing) in done.out
    [(program, arguments, environment)] = started
    assert Path(program).parent == Path(sys.executable).parent
    assert arguments[1:2] + arguments[-1:] == ["dev", "3456"]
    assert environment["TRUELIFT_HOME"] == str(settings.home)
    assert (settings.dagster_home / "dagster.yaml").exists()
