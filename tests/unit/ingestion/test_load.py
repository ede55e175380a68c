"""Whatever a file is: taken in whole or not at all, exactly once, explained to people, and no harm to the others."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from pipelines.errors import UserError
from pipelines.ingestion import lines, load
from pipelines.ingestion.load import LoadResult, ingest_files
from pipelines.lake.connection import Lake
from pipelines.settings import load_settings
from tests.unit.ingestion.events import AT, assert_reconciled, event, query, text, write

SOUND = text(event("beside every junk"))
NESTED = "[" * 100_000 + "]" * 100_000
NESTED_OBJECTS = '{"a":' * 100_000 + "1" + "}" * 100_000


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """One lake for all kinds of junk: each must leave it in order for the next."""
    return Lake(load_settings({"TRUELIFT_HOME": str(tmp_path_factory.mktemp("crowded"))}).prepare())


def ingest(lake: Lake, *paths: Path, after: timedelta = timedelta(0)) -> list[LoadResult]:
    results = ingest_files(lake, paths, ingested_at=AT + after)
    assert_reconciled(lake)
    return results


def reasons(lake: Lake, result: LoadResult) -> list[tuple[int, list[str], str]]:
    """Line number, reasons and details of what a load refused."""
    return query(
        lake,
        """select source_line, reasons, details from lake.raw.quarantine
        where load_id = $load_id order by source_line""",
        load_id=result.load_id,
    )


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("truncated.jsonl.gz", gzip.compress(SOUND.encode() * 999)[:-9], "damaged or truncated: Compressed file ended"),
        ("damaged.jsonl.gz", gzip.compress(SOUND.encode() * 999)[:40] + b"\0" * 400, "damaged or truncated"),
        ("no-gzip.jsonl.gz", SOUND.encode(), "damaged or truncated: Not a gzipped file"),
        ("junk.jsonl.zst", bytes(range(256)) * 40, "can't be read: ZSTD decompress failed"),
        ("junk.parquet", bytes(range(256)) * 40, "damaged or truncated: Parquet magic bytes not found"),
        ("empty.parquet", b"", "damaged or truncated: Parquet file size is 0"),
    ],
)
def test_a_file_that_can_not_be_read_whole_fails_alone(
    crowded: Lake, tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    beside = write(tmp_path / "beside.jsonl", text(event(name)))
    found = {each.source_file: each for each in ingest(crowded, write(tmp_path / name, content), beside)}
    assert found["beside.jsonl"].accepted == 1
    failed = found[name]
    assert (failed.status, failed.lines, failed.load_id) == ("failed", 0, None)
    assert failed.error is not None
    assert failed.error.startswith(f"{name} ")
    assert words in failed.error
    assert failed.error.endswith(("Deliver the whole file again; nothing of it was kept.", "whole and readable."))
    logged = query(crowded, "select status, error from lake.ops.load_log where source_file = $name", name=name)
    assert logged == [("failed", failed.error)]


@pytest.mark.parametrize("name", ["empty.jsonl", "empty.jsonl.gz", "empty.jsonl.zst"])
def test_an_empty_file_is_a_load_without_lines(lake: Lake, tmp_path: Path, name: str) -> None:
    [result] = ingest(lake, write(tmp_path / name, b""))
    assert (result.status, result.lines) == ("loaded", 0)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_fault(crowded: Lake, tmp_path: Path, encoding: str) -> None:
    path = tmp_path / f"{encoding}.jsonl"
    [result] = ingest(crowded, write(path, text(event(encoding, user="Zoë")).encode(encoding)))
    assert (result.lines, result.accepted) == (1, 1)


@pytest.mark.parametrize(
    ("name", "content"), [("binary", bytes(range(256)) * 40), ("utf-16 without mark", SOUND.encode("utf-16-le"))]
)
def test_junk_is_quarantined_line_by_line(crowded: Lake, tmp_path: Path, name: str, content: bytes) -> None:
    [result] = ingest(crowded, write(tmp_path / f"{name}.jsonl", content))
    assert result.accepted == 0
    assert result.lines == result.rejected == content.count(b"\n") + 1
    assert {tuple(found) for _, found, _ in reasons(crowded, result)} == {("malformed_json",)}


def _with_property(value: str) -> str:
    return text(event("nested")).replace("12.5", f'12.5, "more": {value}')


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("list", NESTED + "\n"),
        ("object", NESTED_OBJECTS + "\n"),
        ("list never closed", "[" * 100_000 + "\n"),
        ("object never closed", '{"a":' * 100_000 + "\n"),
        ("property", _with_property(NESTED)),
        ("property of objects", _with_property(NESTED_OBJECTS)),
        ("declared property", text(event("nested")).replace("12.5", NESTED)),
        ("user", text(event("nested")).replace('"ann"', NESTED)),
        ("context", text({**event("nested"), "context": {"region": 0}}).replace("0}", f"{NESTED_OBJECTS}}}")),
        ("undeclared field", text(event("nested")).replace('"ann"', f'"ann", "more": {NESTED_OBJECTS}')),
        ("masked", _with_property('"a@b.example", "deep": ' + NESTED_OBJECTS)),
    ],
)
def test_a_line_that_nests_without_end_is_one_malformed_line(
    crowded: Lake, tmp_path: Path, name: str, content: str
) -> None:
    [result] = ingest(crowded, write(tmp_path / f"{name}.jsonl", text(event(name)) + content))
    assert (result.accepted, result.rejected) == (1, 1)
    assert reasons(crowded, result) == [(2, ["malformed_json"], "the line nests more than 500 levels")]


def test_a_line_that_is_too_long_and_nests_too_deep_keeps_both_reasons(crowded: Lake, tmp_path: Path) -> None:
    content = "[" * (1 << 20) + "]" * (1 << 20)
    [result] = ingest(crowded, write(tmp_path / "both.jsonl", content))
    assert [found for _, found, _ in reasons(crowded, result)] == [["malformed_json", "line_too_long"]]


def test_brackets_in_texts_do_not_nest(crowded: Lake, tmp_path: Path) -> None:
    value = {"note": '[{"' * 1000, "list": [{"a": 1}] * 1000, "deep": json.loads("[" * 400 + "]" * 400)}
    [result] = ingest(crowded, write(tmp_path / "brackets.jsonl", text(event("brackets", more=value))))
    assert (result.accepted, result.rejected) == (1, 0)


def test_a_line_of_five_megabytes_is_refused_and_kept(crowded: Lake, tmp_path: Path) -> None:
    long = text(event("long", note="x" * (5 << 20)))
    [result] = ingest(crowded, write(tmp_path / "long.jsonl", text(event("short")) + long))
    assert (result.accepted, result.rejected) == (1, 1)
    assert reasons(crowded, result) == [(2, ["line_too_long"], "the line is longer than 1048576 bytes")]
    kept = query(crowded, "select raw_line from lake.raw.quarantine where load_id = $id", id=result.load_id)
    assert kept == [(long.strip(),)]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("NaN", "negative_amount"),
        ("Infinity", "negative_amount"),
        ("-Infinity", "negative_amount"),
        ("1e999", "negative_amount"),
        ("-0.01", "negative_amount"),
        ('"12.5"', "schema_violation"),
        ("1" * 5000, "negative_amount"),
        ('12.5, "order_value": 13', "malformed_json"),
        ("12,5", "malformed_json"),
    ],
)
def test_a_value_that_is_no_number_is_named(crowded: Lake, tmp_path: Path, value: str, reason: str) -> None:
    content = text(event(value[:99])).replace("12.5", value)
    [result] = ingest(crowded, write(tmp_path / "value.jsonl", content))
    assert result.rejected_by_reason == ((reason, 1),)
    [(_, _, details)] = reasons(crowded, result)
    assert "order_value" in details or reason == "malformed_json"


def test_a_name_that_is_no_text_is_spelled_out(crowded: Lake, tmp_path: Path) -> None:
    [result] = ingest(crowded, write(tmp_path / os.fsdecode(b"\xff.jsonl"), text(event("name"))))
    assert result.source_file == r"\xff.jsonl"


def _events_table(*names: str, **columns: list[object]) -> pa.Table:
    rows = [event(name) for name in names]
    return pa.table({**{key: [row[key] for row in rows] for key in rows[0]}, **columns})


def test_parquet_events_are_judged_like_lines(crowded: Lake, tmp_path: Path) -> None:
    path = tmp_path / "events.parquet"
    texts = [json.dumps(event("p3")["properties"]), NESTED_OBJECTS, "no json"]
    pa.parquet.write_table(_events_table("p3", "p4", "p5", properties=texts), path)
    [result] = ingest(crowded, path)
    assert (result.accepted, result.rejected) == (1, 2)
    assert [found for _, found, _ in reasons(crowded, result)] == [["schema_violation"]] * 2


def test_a_parquet_timestamp_needs_its_zone(crowded: Lake, tmp_path: Path) -> None:
    path, moment = tmp_path / "zones.parquet", AT - timedelta(hours=1)
    for name, zone in (("zoned", "UTC"), ("zoneless", None)):
        column = pa.array([moment if zone else moment.replace(tzinfo=None)], pa.timestamp("us", zone))
        pa.parquet.write_table(_events_table(name, timestamp=column), path)
        [result] = ingest(crowded, path)
        assert (result.accepted, result.rejected) == ((1, 0) if zone else (0, 1))


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(5, "Input/output error")])
def test_an_unreadable_file_is_named_and_spoils_no_other(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    forbidden = write(tmp_path / "forbidden.jsonl", SOUND)
    good = write(tmp_path / "good.jsonl", text(event("good")))
    actual = Path.open

    def guarded(path: Path, *arguments: object, **options: object) -> object:
        if path == forbidden:
            raise error
        return actual(path, *arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", guarded)
    failed, loaded = ingest(lake, forbidden, good)
    assert (
        failed.error == f"forbidden.jsonl can't be read: {error.strerror}. Check that the file is whole and readable."
    )
    assert loaded.accepted == 1


def test_a_file_that_goes_before_its_turn_fails_alone(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, good = write(tmp_path / "gone.jsonl", SOUND), write(tmp_path / "good.jsonl", text(event("good")))
    monkeypatch.setattr(load, "check_paths", lambda _: gone.unlink())
    failed, loaded = ingest(lake, gone, good)
    assert failed.status == "failed"
    assert "No such file" in str(failed.error)
    assert loaded.accepted == 1


@pytest.mark.parametrize("moment", ["after it was hashed", "while it is read"])
@pytest.mark.parametrize("neighbors", [0, 1])
def test_a_file_that_grows_meanwhile_waits_for_the_next_run(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, moment: str, neighbors: int
) -> None:
    landing = lake.settings.landing
    growing = write(landing / "growing.jsonl", text(event("first")))
    others = [write(landing / f"other-{n}.jsonl", text(event(n))) for n in range(neighbors)]
    actual = load.read_chunks

    def grow() -> None:
        with growing.open("a") as file:
            file.write(text(event("second")))

    def reader(path: Path, *arguments: object) -> Iterator[pa.Table]:
        for number, chunk in enumerate(actual(path, *arguments) if path != growing else _reading(path, *arguments)):
            yield chunk
            if path == growing and number == 0 and moment == "while it is read":
                grow()

    def _reading(path: Path, *arguments: object) -> Iterator[pa.Table]:
        if moment == "after it was hashed":
            grow()
        yield from actual(path, *arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(load, "read_chunks", reader)
        results = {each.source_file: each for each in ingest(lake, growing, *others)}
    assert "is still being written" in str(results["growing.jsonl"].error)
    assert [each.status for name, each in results.items() if name != "growing.jsonl"] == ["loaded"] * neighbors
    assert growing.exists(), "it stays in the landing folder"
    assert query(lake, "select count(*) from lake.raw.events") == [(neighbors,)]
    [again] = ingest(lake, growing)
    assert again.accepted == 2
    assert not growing.exists()


def test_a_reference_file_that_grows_meanwhile_writes_nothing(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(lake.settings.landing / "products.csv", "product_id,name\np1,one\n")
    actual = load.load_reference_file

    def grown(*arguments: object, **options: object) -> object:
        counts = actual(*arguments, **options)  # type: ignore[arg-type]
        path.write_text(path.read_text() + "p2,two\n")
        return counts

    with monkeypatch.context() as patch:
        patch.setattr(load, "load_reference_file", grown)
        [failed] = ingest(lake, path)
    assert failed.status == "failed"
    assert query(lake, "select count(*) from lake.raw.products") == [(0,)]
    [result] = ingest(lake, path)
    assert result.accepted == 2


def test_landed_files_are_archived_once_committed(lake: Lake) -> None:
    landing = lake.settings.landing
    paths = [
        write(landing / "sub" / "a.jsonl", SOUND),
        write(landing / "products.csv", "product_id,name\np1,one\n"),
        write(landing / "broken.jsonl.gz", b"x"),
    ]
    results = ingest(lake, *paths)
    assert {each.source_file: each.status for each in results} == {
        "sub/a.jsonl": "loaded",
        "products.csv": "loaded",
        "broken.jsonl.gz": "failed",
    }
    assert [path.name for path in landing.rglob("*") if path.is_file()] == ["broken.jsonl.gz"]
    assert sorted(path.name[13:] for path in lake.settings.archive.iterdir()) == ["a.jsonl", "products.csv"]


def test_the_same_content_is_loaded_once_under_any_name(lake: Lake) -> None:
    landing = lake.settings.landing
    paths = [write(landing / name, SOUND) for name in ("a.jsonl", "b.jsonl")]
    assert [each.status for each in ingest(lake, *paths)] == ["loaded", "known"]
    assert [each.status for each in ingest(lake, write(landing / "c.jsonl", SOUND))] == ["known"]
    assert list(landing.iterdir()) == []
    assert query(lake, "select count(*) from lake.ops.load_log") == [(1,)]


def test_a_twin_is_loaded_when_the_first_turns_out_unreadable(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    landing = lake.settings.landing
    twins = [write(landing / name, SOUND) for name in ("a.jsonl", "b.jsonl")]
    actual = load.read_chunks

    def reader(path: Path, *arguments: object) -> Iterator[pa.Table]:
        if path.name == "a.jsonl":
            raise lines.UnreadableFileError("a.jsonl can't be read: it is torn.")
        yield from actual(path, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(load, "read_chunks", reader)
    assert [each.status for each in ingest(lake, *twins)] == ["failed", "loaded"]
    assert query(lake, "select count(*) from lake.raw.events") == [(1,)]


def test_a_mistaken_path_stops_before_anything_is_read(lake: Lake, tmp_path: Path) -> None:
    good = write(tmp_path / "a.jsonl", SOUND)
    with pytest.raises(UserError, match=r"b\.jsonl does not exist"):
        ingest_files(lake, [good, tmp_path / "b.jsonl"], ingested_at=AT)
    assert not Path(lake.settings.catalog_url).exists()


def test_a_large_file_that_is_damaged_leaves_nothing(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "_BATCH_BYTES", 100)
    monkeypatch.setattr(load, "CHUNK_BYTES", 100)
    monkeypatch.setattr(lines, "CHUNK_BYTES", 100)
    monkeypatch.setattr(lines, "_READ_BYTES", 1000)
    content = gzip.compress(text(*(event(n) for n in range(200))).encode())
    paths = [
        write(tmp_path / "a.jsonl.gz", content[:-30]),
        write(tmp_path / "b.jsonl.gz", gzip.compress(SOUND.encode())),
    ]
    assert [each.status for each in ingest(lake, *paths)] == ["failed", "loaded"]
    assert query(lake, "select count(*) from lake.raw.events") == [(1,)]
    assert query(lake, "select count(*) from lake.raw.quarantine") == [(0,)]


def test_progress_ends_at_the_whole(lake: Lake, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    paths = [write(tmp_path / f"{n}.jsonl", text(event(n))) for n in range(3)]
    ingest_files(lake, paths, ingested_at=AT, progress=lambda *each: told.append(each))
    total = sum(path.stat().st_size for path in paths)
    assert told[-1] == ("", total, total)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)


@pytest.mark.parametrize(
    ("seconds", "outcome"), [(300, (1, 1, 0, "second")), (301, (0, 0, 1, "first")), (86_400, (0, 0, 1, "first"))]
)
def test_an_id_repeated_later_replaces_for_five_minutes_only(
    lake: Lake, tmp_path: Path, seconds: int, outcome: tuple[int, int, int, str]
) -> None:
    ingest(lake, write(tmp_path / "1.jsonl", text(event("e", user="first"))))
    [result] = ingest(
        lake, write(tmp_path / "2.jsonl", text(event("e", user="second"))), after=timedelta(seconds=seconds)
    )
    [(user,)] = query(lake, "select user_id from lake.raw.events")
    assert (result.accepted, result.replaced, result.duplicates, user) == outcome


def test_an_id_repeated_over_three_loads_is_stored_once(lake: Lake, tmp_path: Path) -> None:
    days = ["2025-06-08", "2025-06-09", "2025-06-10"]
    loads = []
    for number, (day, minutes) in enumerate(zip(days, (0, 4, 8), strict=True)):
        content = text(event("e", user=f"user-{number}", at=f"{day}T10:00:00Z"), event(f"own-{number}"))
        path = write(tmp_path / f"{number}.jsonl", content)
        loads += ingest(lake, path, after=timedelta(minutes=minutes))
    # The third comes eight minutes after the first, but four after the row that is stored.
    assert [(each.accepted, each.replaced, each.duplicates) for each in loads] == [(2, 0, 0), (2, 1, 0), (2, 1, 0)]
    assert query(lake, "select user_id, event_date::text from lake.raw.events where user_id <> 'ann'") == [
        ("user-2", "2025-06-10")
    ]
    touched = "select load_id, event_date::text, user_id, cause from lake.ops.touched_days order by all"
    assert query(lake, touched) == [
        (loads[1].load_id, "2025-06-08", "user-0", "replaced"),
        (loads[2].load_id, "2025-06-09", "user-1", "replaced"),
    ]
    late = write(tmp_path / "late.jsonl", text(event("e", user="too late")))
    [fourth] = ingest(lake, late, after=timedelta(minutes=13, seconds=1))
    assert (fourth.accepted, fourth.duplicates) == (0, 1)


def test_files_of_one_run_replace_each_other_in_their_order(lake: Lake, tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{n}.jsonl", text(event("e", user=f"user-{n}"), event(n))) for n in range(3)]
    results = ingest(lake, *paths)
    assert [(each.accepted, each.replaced) for each in results] == [(2, 0), (2, 1), (2, 1)]
    assert query(lake, "select user_id from lake.raw.events where user_id <> 'ann'") == [("user-2",)]
