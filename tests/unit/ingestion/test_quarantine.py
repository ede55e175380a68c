"""Refused lines wait with their reasons, and leave when they are repaired or the rules allow."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path

import pytest

from pipelines.errors import UserError
from pipelines.ingestion import quarantine
from pipelines.ingestion.load import LoadResult, ingest_files
from pipelines.ingestion.quarantine import QuarantinedLine, repaired_lines, retry, waiting_lines
from pipelines.lake.connection import Lake
from tests.unit.ingestion.events import AT, assert_reconciled, event, query, text, write

LATER = AT + timedelta(hours=1)
OLD = "2025-01-01T10:00:00Z"


@pytest.fixture
def loaded(lake: Lake, tmp_path: Path) -> Lake:
    """A lake with one sound event and four lines in quarantine: lines 2 to 5 of load 1."""
    content = text(
        event("sound"), event("negative", order_value=-1), event("old", at=OLD), {**event("typed"), "source": "web"}
    )
    ingest_files(lake, [write(tmp_path / "a.jsonl", f"{content}no json\n")], ingested_at=AT)
    return lake


def retried(lake: Lake, lines: list[QuarantinedLine], *, backfill: bool = False) -> LoadResult:
    result = retry(lake, lines, ingested_at=LATER, backfill=backfill)
    assert result is not None
    assert_reconciled(lake)
    return result


def waiting(lake: Lake) -> list[int]:
    return [line.source_line for line in waiting_lines(lake)]


def test_waiting_lines_are_told_with_all_that_is_wrong(loaded: Lake) -> None:
    lines = waiting_lines(loaded)
    assert [(line.load_id, line.source_line, line.reasons) for line in lines] == [
        (1, 2, ("negative_amount",)),
        (1, 3, ("timestamp_too_old",)),
        (1, 4, ("invalid_source",)),
        (1, 5, ("malformed_json",)),
    ]
    assert lines[0].raw_line == text(event("negative", order_value=-1)).strip()
    assert lines[0].source_file == "a.jsonl"
    assert "order_value -1" in lines[0].details
    assert "--backfill" in lines[1].details
    assert lines[3].raw_line == "no json"


def test_a_reason_a_load_and_a_number_narrow_the_list(loaded: Lake, tmp_path: Path) -> None:
    ingest_files(loaded, [write(tmp_path / "b.jsonl", "no json either\n")], ingested_at=AT)
    assert [line.load_id for line in waiting_lines(loaded, reason="malformed_json")] == [2, 1]
    assert [line.source_line for line in waiting_lines(loaded, load_id=1, reason="malformed_json")] == [5]
    assert len(waiting_lines(loaded, limit=3)) == 3
    assert waiting_lines(loaded, load_id=7) == []
    with pytest.raises(UserError, match=r"'typo' is no reason of rejection.*malformed_json"):
        waiting_lines(loaded, reason="typo")


def test_a_repaired_line_is_taken_in_and_marked(loaded: Lake) -> None:
    broken = waiting_lines(loaded)[0]
    result = retried(loaded, [replace(broken, raw_line=broken.raw_line.replace(": -1", ": 1"))])
    assert (result.lines, result.accepted, result.rejected, result.source) == (1, 1, 0, "quarantine")
    assert waiting(loaded) == [3, 4, 5]
    released = (
        "select source_line, released_at, released_by_load_id from lake.raw.quarantine where released_at is not null"
    )
    assert query(loaded, released) == [(2, LATER.replace(tzinfo=None), result.load_id)]
    stored = "select order_value::int, source_file, load_id from lake.raw.events where load_id = $id"
    assert query(loaded, stored, id=result.load_id) == [(1, "quarantine", result.load_id)]


def test_what_fails_again_stays_once_as_it_was(loaded: Lake) -> None:
    before = query(loaded, "from lake.raw.quarantine order by all")
    result = retried(loaded, waiting_lines(loaded))
    assert (result.lines, result.accepted, result.rejected) == (4, 0, 4)
    assert query(loaded, "from lake.raw.quarantine order by all") == before


def test_a_backfill_releases_what_was_only_too_old(loaded: Lake) -> None:
    result = retried(loaded, waiting_lines(loaded), backfill=True)
    assert (result.accepted, result.rejected, result.late) == (1, 3, 1)
    assert waiting(loaded) == [2, 4, 5]


def test_a_line_that_is_stored_already_counts_as_released(loaded: Lake) -> None:
    broken = waiting_lines(loaded)[3]
    result = retried(loaded, [replace(broken, raw_line=text(event("sound")).strip())])
    assert (result.accepted, result.duplicates, result.rejected) == (0, 1, 0)
    assert waiting(loaded) == [2, 3, 4]


def test_nothing_to_retry_is_no_load(loaded: Lake) -> None:
    assert retry(loaded, [], ingested_at=LATER) is None
    assert query(loaded, "select count(*) from lake.ops.load_log") == [(1,)]


@pytest.mark.parametrize("name", ["1.2", "1.99", "9.2"])
def test_a_line_that_does_not_wait_is_refused_and_the_others_with_it(loaded: Lake, name: str) -> None:
    load, line = map(int, name.split("."))
    repaired = QuarantinedLine(1, 2, text(event("negative")))
    if name == "1.2":
        retried(loaded, [repaired])
    other = QuarantinedLine(1, 4, text(event("typed")))
    with pytest.raises(UserError, match=f"Line {line} of load {load} is not waiting"):
        retry(loaded, [other, QuarantinedLine(load, line, text(event("x")))], ingested_at=LATER)
    assert 4 in waiting(loaded)


def test_a_rejected_reference_row_is_no_line_to_retry(loaded: Lake, tmp_path: Path) -> None:
    content = "product_id,unit_cost\np1,-5\n"
    [result] = ingest_files(loaded, [write(tmp_path / "products.csv", content)], ingested_at=AT)
    assert result.rejected == 1
    assert [line.load_id for line in waiting_lines(loaded)] == [1] * 4
    assert result.load_id is not None
    with pytest.raises(UserError, match="not waiting"):
        retry(loaded, [QuarantinedLine(result.load_id, 2, text(event("x")))], ingested_at=LATER)


def test_a_retried_line_is_judged_by_its_length_and_depth_too(lake: Lake, tmp_path: Path) -> None:
    long = text(event("long", note="x" * (1 << 20)))
    deep = "[" * 100_000 + "]" * 100_000 + "\n"
    ingest_files(lake, [write(tmp_path / "a.jsonl", long + deep)], ingested_at=AT)
    assert retried(lake, waiting_lines(lake)).rejected == 2
    assert [line.reasons for line in waiting_lines(lake)] == [("line_too_long",), ("malformed_json",)]


def test_a_retry_that_fails_halfway_leaves_nothing(loaded: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("halfway")

    monkeypatch.setattr(quarantine, "_release", fail)
    before = query(loaded, "from lake.raw.quarantine order by all")
    with pytest.raises(RuntimeError, match="halfway"):
        retry(loaded, [QuarantinedLine(1, 2, text(event("negative")))], ingested_at=LATER)
    assert query(loaded, "from lake.raw.quarantine order by all") == before
    assert query(loaded, "select count(*) from lake.raw.events") == [(1,)]
    assert_reconciled(loaded)


def test_the_printed_list_can_be_edited_and_given_back(loaded: Lake, tmp_path: Path) -> None:
    printed = json.dumps([asdict(line) for line in waiting_lines(loaded)], default=str)
    path = write(tmp_path / "lines.json", printed.replace('\\"web\\"', '\\"mobile\\"'))
    result = retried(loaded, repaired_lines(path))
    assert (result.accepted, result.rejected) == (1, 3)
    assert waiting(loaded) == [2, 3, 5]


def test_a_repaired_line_may_span_lines(loaded: Lake) -> None:
    pretty = json.dumps(event("negative"), indent=2)
    assert retried(loaded, [QuarantinedLine(1, 2, pretty)]).accepted == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("not json", "does not hold quarantined lines: Expecting value"),
        (b"\xff\xfe\xff", "does not hold quarantined lines"),
        ('{"load_id": 1}', "does not hold a list"),
        ("[5]", "Entry 1 of .* has no whole number as load_id"),
        ('[{"load_id": 1, "source_line": 2, "raw_line": "{}"}, {"load_id": "1"}]', "Entry 2 of .*load_id"),
        ('[{"load_id": 1, "raw_line": "{}"}]', "Entry 1 of .* has no whole number as source_line"),
        ('[{"load_id": 1, "source_line": 2, "raw_line": {"a": 1}}]', "Entry 1 of .* has no text as raw_line"),
    ],
)
def test_a_file_that_is_no_such_list_is_refused(tmp_path: Path, content: str | bytes, words: str) -> None:
    with pytest.raises(UserError, match=f"{words}.*quarantine list --format json"):
        repaired_lines(write(tmp_path / "lines.json", content))
    with pytest.raises(UserError, match=r"none\.json does not hold.*No such file"):
        repaired_lines(tmp_path / "none.json")
