"""Rows are printed as they are, all of them where a program reads, the first where a person does."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from rich.console import Console

from pipelines.errors import UserError
from pipelines.lake.connection import Lake
from pipelines.query import Format, print_query
from pipelines.settings import load_settings


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = Lake(load_settings({"TRUELIFT_HOME": str(tmp_path_factory.mktemp("home"))}).prepare())
    with lake.writer():
        return lake


def printed(lake: Lake, sql: str, form: Format) -> str:
    out = io.StringIO()
    print_query(lake, sql, form, Console(file=out, width=120, markup=False))
    return out.getvalue()


def record(lake: Lake, expression: str) -> Any:
    [row] = json.loads(printed(lake, f"select {expression} as value", "json"))
    return row["value"]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("null", None),
        ("true", True),
        ("7", 7),
        ("1.5::double", 1.5),
        ("'nan'::double", None),
        ("'-inf'::float", None),
        ("12.50::decimal(18, 4)", 12.5),
        ("12::decimal(18, 4)", 12),
        ("'é \"quoted\"'", 'é "quoted"'),
        ("date '2025-06-01'", "2025-06-01"),
        ("timestamp '2025-06-01 10:00:00'", "2025-06-01T10:00:00"),
        ("'382f21e4-a57b-4700-b8ec-2d3446752b5c'::uuid", "382f21e4-a57b-4700-b8ec-2d3446752b5c"),
        ("['nan'::double, 1]", [None, 1]),
        ("{'a': date '2025-06-01', 'b': [1.5]}", {"a": "2025-06-01", "b": [1.5]}),
        ("map {date '2025-06-01': 1}", {"2025-06-01": 1}),
    ],
)
def test_json_values(lake: Lake, expression: str, value: object) -> None:
    assert record(lake, expression) == value


@pytest.mark.parametrize("form", ["csv", "json"])
def test_programs_get_every_row(lake: Lake, form: Format) -> None:
    text = printed(lake, "select i, i * 2 as twice from range(25000) r(i)", form)
    rows = json.loads(text) if form == "json" else list(csv.DictReader(io.StringIO(text)))
    assert [(int(row["i"]), int(row["twice"])) for row in rows] == [(i, 2 * i) for i in range(25_000)]


def test_people_get_the_first_rows_and_hear_of_the_others(lake: Lake) -> None:
    text = printed(lake, "from range(250)", "table")
    assert "│ 199" in text
    assert "│ 200" not in text
    assert "… and 50 more rows; --format csv shows all." in text
    assert "more rows" not in printed(lake, "from range(200)", "table")


@pytest.mark.parametrize("form", ["csv", "json", "table"])
def test_no_rows_are_no_fault(lake: Lake, form: Format) -> None:
    text = printed(lake, "select 1 as number where false", form)
    assert "[\n]" in text if form == "json" else "number" in text


def test_cells_with_commas_quotes_and_line_ends_read_back(lake: Lake) -> None:
    text = printed(lake, """select 'a,"b"' || chr(10) || 'c' as x, null as y""", "csv")
    assert list(csv.reader(io.StringIO(text))) == [["x", "y"], ['a,"b"\nc', ""]]


def test_tables_are_those_that_are_published(lake: Lake) -> None:
    with lake.writer() as connection:
        connection.execute("create or replace view lake.published.one as select 1 as number")
    assert json.loads(printed(lake, "from one", "json")) == [{"number": 1}]
    assert json.loads(printed(lake, "show tables", "json")) == [{"name": "one"}]


@pytest.mark.parametrize("sql", ["", "  ", "-- nothing", ";"])
def test_an_empty_query_is_a_mistake(lake: Lake, sql: str) -> None:
    with pytest.raises(UserError, match="empty"):
        printed(lake, sql, "csv")


@pytest.mark.parametrize(
    "sql",
    [
        "insert into lake.ops.load_log (load_id) values (1)",
        "create or replace view lake.published.one as select 2 as number",
        "drop schema lake.raw cascade",
    ],
)
def test_nothing_can_be_written(lake: Lake, sql: str) -> None:
    with pytest.raises(UserError, match="read-only"):
        printed(lake, sql, "csv")


def test_a_query_that_fails_after_its_first_rows_is_a_mistake_too(lake: Lake) -> None:
    with pytest.raises(UserError, match=r"The query failed: .*abc"):
        printed(lake, "select case when i = 20000 then 'abc' else '1' end::int as x from range(20001) r(i)", "csv")
