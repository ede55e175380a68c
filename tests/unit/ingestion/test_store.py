"""An id is stored once and every line is counted, however the lines are cut into chunks and loads."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipelines.ingestion import lines, load, store
from pipelines.ingestion.load import ingest_files
from pipelines.lake.connection import Lake
from pipelines.settings import load_settings
from tests.oracles.ingestion_oracle import IngestionOracle
from tests.properties.lake_contents import expected_fields, expected_log, load_log, quarantined_lines, stored_fields
from tests.unit.ingestion.events import AT, assert_reconciled, event, query, text, write


def in_small_chunks(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Let reading and storing go in chunks of a few lines."""
    monkeypatch.setattr(lines, "_READ_BYTES", size)
    monkeypatch.setattr(lines, "CHUNK_BYTES", size)
    monkeypatch.setattr(load, "CHUNK_BYTES", size)
    monkeypatch.setattr(load, "_BATCH_BYTES", size)


@pytest.mark.parametrize("size", [1, 300, 1000])
def test_a_later_chunk_of_the_same_file_supersedes_an_earlier_one(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    in_small_chunks(monkeypatch, size)
    events = [event(n % 7, user=f"user-{n}") for n in range(20)]
    [result] = ingest_files(lake, [write(tmp_path / "a.jsonl", text(*events))], ingested_at=AT)
    assert (result.lines, result.accepted, result.duplicates, result.replaced) == (20, 7, 13, 0)
    assert_reconciled(lake)
    users = query(lake, "select user_id from lake.raw.events order by source_line")
    assert users == [(f"user-{n}",) for n in range(13, 20)]
    refused = query(lake, "select source_line, reasons from lake.raw.quarantine order by source_line")
    assert refused == [(n, ["duplicate_event_id"]) for n in range(1, 14)]


@pytest.mark.parametrize("size", [1, 1 << 20])
def test_each_load_of_one_run_replaces_what_came_before_it(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    first, second, third = (write(tmp_path / f"{n}.jsonl", text(event("e", user=f"user-{n}"))) for n in range(3))
    ingest_files(lake, [first], ingested_at=AT)
    in_small_chunks(monkeypatch, size)
    results = ingest_files(lake, [second, third], ingested_at=AT + timedelta(minutes=1))
    assert [(each.accepted, each.replaced) for each in results] == [(1, 1), (1, 1)]
    assert query(lake, "select user_id from lake.raw.events") == [("user-2",)]
    assert_reconciled(lake)


def test_lines_of_many_days_are_stored_in_parts_in_the_order_of_their_days(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_SORTED_ROWS", 7)
    events = [event(n, at=(AT - timedelta(days=n * 13 % 25)).isoformat()) for n in range(40)]
    content = text(*events, *events[:3]) + "{\n"
    [result] = ingest_files(lake, [write(tmp_path / "a.jsonl", content)], ingested_at=AT)
    assert (result.lines, result.accepted, result.duplicates, result.rejected) == (44, 40, 3, 1)
    assert_reconciled(lake)
    stored = query(
        lake, "select event_date::text from lake.raw.events where source_line between 4 and 40 order by rowid"
    )
    assert stored == sorted(stored)


def test_the_personal_data_of_a_superseded_line_is_masked_too(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_small_chunks(monkeypatch, 1)
    content = text(event("e", note="write to ann@mail.example"), event("e", note="clean"))
    ingest_files(lake, [write(tmp_path / "a.jsonl", content)], ingested_at=AT)
    [(raw,)] = query(lake, "select raw_line from lake.raw.quarantine")
    assert "[email]" in raw
    assert "mail.example" not in raw


def test_times_are_kept_in_utc_and_what_comes_late_is_marked(lake: Lake, tmp_path: Path) -> None:
    times = ["2025-06-09T14:00:00+02:00", "2025-06-09T11:59:59.999Z", "2025-06-10T01:00:00+05:30"]
    content = text(*(event(n, at=at) for n, at in enumerate(times)))
    [result] = ingest_files(lake, [write(tmp_path / "a.jsonl", content)], ingested_at=AT)
    assert query(
        lake,
        """select "timestamp", event_date::text, late_arrival, ingestion_lag_seconds
        from lake.raw.events order by source_line""",
    ) == [
        (datetime(2025, 6, 9, 12), "2025-06-09", False, 86_400.0),  # noqa: DTZ001 - as the lake stores it
        (datetime(2025, 6, 9, 11, 59, 59, 999_000), "2025-06-09", True, 86_400.001),  # noqa: DTZ001
        (datetime(2025, 6, 9, 19, 30), "2025-06-09", False, 59_400.0),  # noqa: DTZ001
    ]
    assert (result.late, result.min_timestamp) == (1, datetime(2025, 6, 9, 11, 59, 59, 999_000))  # noqa: DTZ001


def test_what_the_contract_does_not_declare_is_kept(lake: Lake, tmp_path: Path) -> None:
    sent = {**event("e", color="red", order_value=3), "trace": {"id": 1}, "context": {"region": "EU", "os": "x"}}
    ingest_files(lake, [write(tmp_path / "a.jsonl", text(sent))], ingested_at=AT)
    columns = "unknown_properties ->> '$.color', unknown_properties ->> '$.trace.id', unknown_properties ->> '$.os'"
    assert query(lake, f"select region, {columns} from lake.raw.events") == [("EU", "red", "1", "x")]


def test_the_settings_set_the_limits(tmp_path: Path) -> None:
    environment = {"TRUELIFT_HOME": str(tmp_path / "home"), "TRUELIFT_MAX_EVENT_AGE_DAYS": "2"}
    lake = Lake(load_settings(environment).prepare())
    times = [AT - timedelta(days=2), AT - timedelta(days=2, seconds=1), AT + timedelta(minutes=5)]
    times.append(AT + timedelta(minutes=5, seconds=1))
    content = text(*(event(n, at=at.isoformat()) for n, at in enumerate(times)))
    [result] = ingest_files(lake, [write(tmp_path / "a.jsonl", content)], ingested_at=AT)
    assert dict(result.rejected_by_reason) == {"timestamp_too_old": 1, "timestamp_in_future": 1}
    assert query(lake, "select source_line from lake.raw.events order by 1") == [(1,), (3,)]


@given(
    files=st.lists(st.lists(st.integers(0, 5), max_size=8), min_size=1, max_size=3),
    gaps=st.none() | st.lists(st.sampled_from([0, 60, 300, 301]), min_size=3, max_size=3),
    size=st.sampled_from([1, 700, 1 << 20]),
)
@hypothesis_settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_repeated_ids_end_as_the_oracle_says(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    files: Sequence[Sequence[int]],
    gaps: Sequence[int] | None,
    size: int,
) -> None:
    """Without ``gaps`` the files are taken in by one run, else by one each, so many seconds apart."""
    folder = tmp_path_factory.mktemp("repeats")
    lake = Lake(load_settings({"TRUELIFT_HOME": str(folder / "home")}).prepare())
    oracle, log, landed, at = IngestionOracle(), [], [], AT
    for number, ids in enumerate(files):
        content = text(*(event(name, user=f"{number}-{line}") for line, name in enumerate(ids)))
        path = write(folder / f"{number}.jsonl", content)
        landed.append((path, at))
        counts = oracle.load(path.name, content.encode(), at)
        if counts is not None:
            log.append(expected_log(path.name, counts))
        at += timedelta(seconds=gaps[number] if gaps else 0)
    with monkeypatch.context() as patch:
        in_small_chunks(patch, size)
        if gaps is None:
            ingest_files(lake, [path for path, _ in landed], ingested_at=AT)
        for path, moment in landed if gaps else ():
            ingest_files(lake, [path], ingested_at=moment)
    assert_reconciled(lake)
    assert stored_fields(lake) == expected_fields(oracle)
    assert load_log(lake) == log
    assert quarantined_lines(lake) == {
        (row.source_file, row.source_line): set(row.reasons) for row in oracle.quarantine
    }
