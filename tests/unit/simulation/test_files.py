"""What is on disk agrees with the truth beside it, line by line, by a reader that knows nothing of the simulator."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from models_ml.simulation import World, write_company
from quality.contracts import REASONS, load_contract

from .conftest import END, Written
from .judge import parse, reasons


def test_every_line_is_what_the_truth_says(company: Written) -> None:
    contract = load_contract()
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    why: dict[str, Counter[str]] = defaultdict(Counter)
    first: dict[str, tuple[str, bytes]] = {}
    for file, _, line in company.lines():
        count = counted[file]
        count["lines"] += 1
        found = reasons(line, contract, END)
        if found:
            count["rejected"] += 1
            why[file].update(found)
            continue
        event = parse(line)
        assert event is not None
        happened = datetime.fromisoformat(event["timestamp"])
        known = first.setdefault(event["event_id"], (file, line))
        count["older_than_a_day"] += (known[1] is line or known[0] != file) and happened < END - timedelta(days=1)
        if known[1] is line:
            count["clean"] += 1
            count["late"] += f"events-{happened:%Y-%m-%d}.jsonl" < file
        else:
            count["repeats"] += 1
            count["repeats_of_earlier_files"] += known[0] != file
            count["changed_repeats"] += known[1] != line
    assert [file.file for file in company.truth.files] == sorted(counted)
    for truth in company.truth.files:
        stated = asdict(truth)
        assert stated.pop("reasons") == dict(why[truth.file]), truth.file
        assert stated.pop("file") == truth.file
        assert stated == {name: counted[truth.file][name] for name in stated}, truth.file


def test_counts_add_up_to_what_was_asked_for(company: Written) -> None:
    world, totals = company.world, company.truth.totals
    assert totals["lines"] == world.events
    assert totals["lines"] == totals["clean"] + totals["repeats"] + totals["rejected"]
    assert totals["repeats"] == world.repeated_lines == 800
    assert totals["rejected"] == sum(world.bad_lines.values()) == 11 * 40 + 2
    assert 0.02 < totals["late"] / totals["clean"] < 0.035
    assert sum(company.truth.events_by_type.values()) == totals["clean"]


def test_every_reason_occurs(company: Written) -> None:
    found = {reason for file in company.truth.files for reason in file.reasons}
    assert found | {"duplicate_event_id"} == set(REASONS)


def test_bad_lines_hold_the_known_kinds_of_junk(company: Written) -> None:
    lines = [line for _, _, line in company.lines()]
    assert any(len(line) > 1 << 20 for line in lines)
    assert any(b"NaN" in line for line in lines)
    assert any(b'"order_value":Infinity' in line for line in lines)
    assert any(b'"order_value":"45.10"' in line for line in lines)
    assert any(line.startswith(b"[[[[") for line in lines)
    assert any(not _is_utf8(line) for line in lines)


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def test_marked_lines_point_at_the_lines(company: Written) -> None:
    by_place = {(file, number): line for file, number, line in company.lines()}
    marked = company.truth.marked_lines
    assert marked.height > 0
    for file, number, mark, why in marked.rows():
        line = by_place[file, number]
        assert (mark == "rejected") == bool(why)
        assert set(why or ()) == reasons(line, load_contract(), END)
        if mark.startswith("changed"):
            assert b'"revision":2' in line


def test_truth_on_disk_is_the_truth_returned(company: Written) -> None:
    folder = company.folder / "truth"
    written = json.loads((folder / "truth.json").read_text())
    assert written["totals"] == company.truth.totals
    assert [file["file"] for file in written["files"]] == [file.file for file in company.truth.files]
    for name in ("lift", "response", "customers", "creatives", "marked_lines"):
        assert pl.read_parquet(folder / f"{name}.parquet").equals(getattr(company.truth, name))


def test_nothing_half_written_is_left(company: Written) -> None:
    assert not list(company.folder.rglob("*.part"))


def test_lines_of_a_file_are_in_the_order_of_arrival_but_for_the_bad_ones(company: Written) -> None:
    marked = set(company.truth.marked_lines.select("file", "line_number").rows())
    last: dict[str, str] = {}
    for file, number, line in company.lines():
        if (file, number) not in marked:
            event = parse(line)
            assert event is not None
            assert last.get(file, "") <= event["timestamp"] < END.strftime("%Y-%m-%dT%H:%M:%S.000Z")
            last[file] = event["timestamp"]


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def test_a_seed_decides_every_byte(tmp_path: Path) -> None:
    world = World(end=END, days=4, customers=60, events=4_000, campaigns=5, seed=11)
    contract = load_contract()
    for name, seed in (("one", 11), ("same", 11), ("other", 12)):
        write_company(replace(world, seed=seed), contract, tmp_path / name)
    assert _digest(tmp_path / "one") == _digest(tmp_path / "same")
    assert _digest(tmp_path / "one") != _digest(tmp_path / "other")


def test_compressed_files_hold_the_same_lines(tmp_path: Path) -> None:
    world = World(end=END, days=2, customers=30, events=2_000, campaigns=3)
    for compression, codec in ((None, None), ("gz", "gzip"), ("zst", "zstd")):
        folder = tmp_path / str(compression)
        truth = write_company(world, load_contract(), folder, compression=compression)
        for file in truth.files:
            assert file.file.endswith(".jsonl" if compression is None else f".jsonl.{compression}")
            with pa.OSFile(str(folder / file.file)) as raw:
                content = raw.read() if codec is None else pa.CompressedInputStream(raw, codec).read()
            plain = tmp_path / "None" / file.file.removesuffix(f".{compression}")
            assert content == plain.read_bytes()


def test_progress_ends_with_all_lines(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    world = World(end=END, days=5, customers=20, events=1_000, campaigns=2)
    write_company(world, load_contract(), tmp_path, progress=lambda done, total: seen.append((done, total)))
    assert seen == sorted(seen)
    assert seen[-1] == (1_000, 1_000)
    assert len(seen) == 5


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({"campaigns": 0, "customers": 1, "days": 1, "events": 50}, 50),
        ({"campaigns": 1, "customers": 1, "days": 1, "events": 1}, 1),
        ({"campaigns": 30, "customers": 2, "days": 3, "events": 3_000}, 3_000),
        ({"campaigns": 3, "customers": 50_000, "days": 2, "events": 500}, 500),
        ({"campaigns": 2, "customers": 40, "days": 2, "events": 900, "minutes_per_file": 30}, 900),
        ({"campaigns": 6, "customers": 40, "days": 9, "events": 900, "holdout_share": 0.0, "late_share": 0.0}, 900),
        ({"campaigns": 0, "customers": 3, "days": 366, "events": 2_000}, 2_000),
    ],
)
def test_small_worlds_work(tmp_path: Path, changes: dict[str, float], lines: int) -> None:
    world = replace(World(end=END), **changes)  # type: ignore[arg-type]  # the parameters differ in type
    truth = write_company(world, load_contract(), tmp_path)
    assert lines <= truth.totals["lines"] <= lines + 3  # an order of the last day brings its own few lines
    written = [line for path in tmp_path.glob("events-*.jsonl") for line in path.read_bytes()[:-1].split(b"\n")]
    assert len(written) == truth.totals["lines"]
    assert sum(bool(reasons(line, load_contract(), END)) for line in written) == truth.totals["rejected"]


def test_a_world_may_end_at_midnight(tmp_path: Path) -> None:
    world = World(end=datetime(2025, 3, 1, tzinfo=UTC), days=2, customers=10, events=400, campaigns=1)
    truth = write_company(world, load_contract(), tmp_path)
    assert [file.file for file in truth.files] == ["events-2025-02-27.jsonl", "events-2025-02-28.jsonl"]
