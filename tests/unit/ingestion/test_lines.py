"""Raw lines arrive whole, whatever the file holds."""

import gzip
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.ingestion import lines as module
from pipelines.ingestion.lines import UnreadableFileError, content_hash, read_chunks, read_parquet_chunks


def texts(path: Path) -> list[str]:
    return [text.removesuffix("\n") for table in read_chunks(path) for text in table["line"].to_pylist()]


def defects(path: Path) -> list[str | None]:
    return [defect for table in read_chunks(path) for defect in table["defect"].to_pylist()]


@given(st.lists(st.text(alphabet=st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=40)))
def test_lines_equal_python_s_split(tmp_path_factory: pytest.TempPathFactory, wanted: list[str]) -> None:
    path = tmp_path_factory.mktemp("lines") / "a.jsonl"
    wanted = [text for text in wanted if not text.startswith("\ufeff")]
    path.write_bytes("".join(f"{text}\n" for text in wanted).encode())
    assert texts(path) == wanted


@pytest.mark.parametrize("block", [1, 3, 7, 64])
def test_lines_do_not_depend_on_the_size_of_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(module, "_READ_BYTES", block)
    monkeypatch.setattr(module, "CHUNK_BYTES", 4)
    path = tmp_path / "a.jsonl"
    path.write_bytes('{"a":1}\n\nédé\nlast without end'.encode())
    assert texts(path) == ['{"a":1}', "", "édé", "last without end"]
    numbers = [number for table in read_chunks(path) for number in table["source_line"].to_pylist()]
    assert numbers == [1, 2, 3, 4]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16-le", "utf-16-be"])
def test_byte_order_marks_are_understood(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.jsonl"
    mark = "" if encoding == "utf-8-sig" else "\ufeff"
    path.write_bytes((mark + '{"a":"é"}\n{"b":2}\n').encode(encoding))
    assert texts(path) == ['{"a":"é"}', '{"b":2}']


def test_bytes_that_are_no_text_are_written_out_and_marked(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"good\n\xff\xfe\x00bad\ngood again\n")
    assert texts(path) == ["good", "\\xff\\xfe\x00bad", "good again"]
    assert defects(path) == [None, "not_utf8", None]


def test_a_long_line_is_kept_and_marked(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("x" * (5 << 20) + "\nshort\n" + "y" * (1 << 20) + "\n")
    assert defects(path) == ["line_too_long", None, None]
    assert [len(text) for text in texts(path)] == [5 << 20, 5, 1 << 20]


def test_of_an_endless_line_the_beginning_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_LINE_BYTES", 1 << 21)
    monkeypatch.setattr(module, "_READ_BYTES", 1 << 19)
    path = tmp_path / "a.jsonl"
    path.write_text("first\n" + "x" * (7 << 20) + "\nlast\n")
    found = texts(path)
    assert (found[0], found[-1]) == ("first", "last")
    assert 1 << 20 < len(found[1]) <= 5 << 19
    assert defects(path) == [None, "line_too_long", None]


@pytest.mark.parametrize("name", ["empty.jsonl", "empty.jsonl.gz", "empty.jsonl.zst"])
def test_an_empty_file_has_no_lines(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    assert texts(tmp_path / name) == []


@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_compressed_files_read_alike_and_truncated_ones_are_refused(tmp_path: Path, suffix: str) -> None:
    content = b"".join(b'{"number":%d}\n' % number for number in range(50_000))
    path = tmp_path / f"a.jsonl.{suffix}"
    path.write_bytes(gzip.compress(content) if suffix == "gz" else pa.Codec("zstd").compress(content).to_pybytes())
    assert "".join(f"{text}\n" for text in texts(path)).encode() == content
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UnreadableFileError, match=r"a\.jsonl"):
        texts(path)


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("{}\n" * 10)
    chunks = read_chunks(path)
    next(chunks)
    with path.open("a") as file:
        file.write("{}\n")
    with pytest.raises(UnreadableFileError, match="still being written"):
        next(chunks)


def test_parquet_rows_become_lines_without_nulls(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    table = pa.table(
        {
            "event_id": ["e1", "e2"],
            "session_id": [None, "s"],
            "properties": [{"x": 1, "y": None}, {"x": None, "y": "z"}],
            "context": ['{"region":"EU"}', None],
        }
    )
    pa.parquet.write_table(table, path)
    [chunk] = read_parquet_chunks(path)
    assert chunk["line"].to_pylist() == [
        '{"event_id":"e1","properties":{"x":1},"context":{"region":"EU"}}',
        '{"event_id":"e2","session_id":"s","properties":{"y":"z"}}',
    ]


def test_a_damaged_parquet_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1 and then nothing")
    with pytest.raises(UnreadableFileError, match="damaged"):
        list(read_parquet_chunks(path))


def test_the_identity_of_a_file_is_its_content(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_text("same")
    second.write_text("same")
    assert content_hash(first) == content_hash(second)
    second.write_text("other")
    assert content_hash(first) != content_hash(second)
