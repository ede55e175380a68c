"""Reference rows: each is judged by itself, typed, masked, and quarantined with every reason against it."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pytest

from pipelines.errors import UserError
from pipelines.ingestion.lines import UnreadableFileError
from pipelines.ingestion.load import ingest_files
from pipelines.ingestion.references import ReferenceCounts, load_reference_file, load_reference_rows
from pipelines.lake.connection import Lake, transaction
from pipelines.lake.tables import create_tables
from quality.contracts import load_contract
from tests.unit.ingestion.tables import PII_KEY, T0, A, B, load, rows


def test_a_sound_row_is_stored_typed_with_its_origin(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    counts = load(
        connection,
        tmp_path / "campaigns.csv",
        "\ufeffcampaign_id, Name ,campaign_type,budget,start_date,holdout_share,min_age,note\r\n"
        f'{A}," spring, ""sale"" ",DISCOUNT,100.50,2025-05-01 00:00:00,0.1,18.0,x\r\n',
    )
    assert counts == ReferenceCounts(1, accepted=1, replaced=0, duplicates=0, rejected=0, unknown_columns=("note",))
    columns = "campaign_id, name, campaign_type, budget, start_date, holdout_share, min_age, status"
    origin = "valid_from, valid_to, load_id, closed_by_load_id, source_file, source_line"
    assert rows(connection, f"select {columns}, {origin} from lake.raw.campaigns") == [
        (
            *(uuid.UUID(A), 'spring, "sale"', "DISCOUNT", Decimal("100.5000"), date(2025, 5, 1), 0.1, 18, None),
            *(T0.replace(tzinfo=None), None, 1, None, "campaigns.csv", 2),
        )
    ]


@pytest.mark.parametrize(
    "case",
    [
        ("campaigns", "campaign_id,name", ",x", ["missing_id"], "campaign_id is missing"),
        ("campaigns", "campaign_id,name", "12,x", ["invalid_uuid"], "campaign_id 12 is not a UUID"),
        ("campaigns", "campaign_id,budget", f"{A},-1", ["negative_amount"], "budget -1"),
        ("campaigns", "campaign_id,budget", f"{A},NaN", ["negative_amount"], "budget NaN"),
        ("campaigns", "campaign_id,budget", f"{A},inf", ["negative_amount"], "budget inf"),
        ("campaigns", "campaign_id,budget", f"{A},1e15", ["schema_violation"], "budget 1e15"),
        ("campaigns", "campaign_id,budget", f"{A},$5", ["schema_violation"], "budget $5 is not a number"),
        ("campaigns", "campaign_id,min_age", f"{A},17.5", ["schema_violation"], "min_age 17.5 is not a whole number"),
        ("campaigns", "campaign_id,min_age", f"{A},1e19", ["schema_violation"], "min_age 1e19"),
        (
            "campaigns",
            "campaign_id,holdout_share",
            f"{A},1.5",
            ["schema_violation"],
            "holdout_share 1.5 is more than 1",
        ),
        ("campaigns", "campaign_id,campaign_type", f"{A},discount", ["schema_violation"], "none of DISCOUNT, CASHBACK"),
        ("campaigns", "campaign_id,currency", f"{A},usd", ["schema_violation"], "currency usd is not an ISO 4217"),
        ("campaigns", "campaign_id,start_date", f"{A},2025-02-30", ["invalid_timestamp"], "start_date 2025-02-30"),
        ("campaigns", "campaign_id,start_date", f"{A},infinity", ["invalid_timestamp"], "start_date infinity"),
        ("campaigns", "campaign_id,name", f"{A},x,y", ["schema_violation"], "the row has 3 cells, the header 2"),
        ("customers", "user_id,is_minor", "u,maybe", ["schema_violation"], "is_minor maybe is not true or false"),
        ("fx_rates", "date,currency,rate", "2025-01-01,EUR,0", ["schema_violation"], "rate 0 is not above 0"),
        ("fx_rates", "date,currency,rate", ",EUR,1", ["missing_id"], "date is missing"),
        (
            "ad_spend_daily",
            "campaign_id,date,platform,spend,clicks",
            f"x,never,{' '},-1,-2",
            ["missing_id", "invalid_uuid", "invalid_timestamp", "negative_amount"],
            "clicks -2",
        ),
    ],
)
def test_a_faulty_row_is_quarantined_with_every_reason(
    connection: duckdb.DuckDBPyConnection,
    tmp_path: Path,
    case: tuple[str, str, str, list[str], str],
) -> None:
    stem, header, row, reasons, words = case
    counts = load(connection, tmp_path / f"{stem}.csv", f"{header}\n{row}\n")
    ((found, details, line, raw, file),) = rows(
        connection, "select reasons, details, source_line, raw_line, source_file from lake.raw.quarantine"
    )
    assert (found, line, file) == (reasons, 2, f"{stem}.csv")
    assert words in details
    assert all(cell in raw for cell in row.split(",") if cell.strip())
    assert (counts.lines, counts.rejected, dict(counts.rejected_by_reason)) == (1, 1, dict.fromkeys(reasons, 1))
    assert rows(connection, f"select count(*) from lake.raw.{stem}") == [(0,)]


def test_line_numbers_count_lines_also_after_a_cell_with_line_ends(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    load(connection, tmp_path / "creatives.csv", f'creative_id,body\n{A},"one\ntwo\nthree"\n\n{B},four\nbad,five\n')
    assert rows(connection, "select source_line, body from lake.raw.creatives order by 1") == [
        (2, "one\ntwo\nthree"),
        (6, "four"),
    ]
    assert rows(connection, "select source_line from lake.raw.quarantine") == [(7,)]


def test_a_utf_16_file_reads_like_a_utf_8_one(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    load(connection, tmp_path / "products.csv", "product_id,name\np1,Käse\n".encode("utf-16"))
    assert rows(connection, "select product_id, name from lake.raw.products") == [("p1", "Käse")]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no column campaign_id"),
        (b"id,name\n1,x\n", "campaigns.csv has no column campaign_id, part of the key of campaigns. It has: id, name."),
        (b"campaign_id,name,Name\n", "names the column name twice"),
        (b'campaign_id,name\n1,"open\n2,x\n', "line 2"),
        (b'campaign_id,name\n1,x\n2,"a"b\n', "line 3"),
        (b"campaign_id,name\n1,caf\xe9\n", "can't be read as CSV"),
        (b"\x00\x01\x02\xff\xfe\xfd", "can't be read as CSV"),
    ],
)
def test_a_file_that_is_no_such_table_is_refused_as_a_whole(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path, content: bytes, words: str
) -> None:
    with pytest.raises(UserError) as caught:
        load(connection, tmp_path / "campaigns.csv", content)
    assert words in str(caught.value)
    assert "campaigns.csv" in str(caught.value)


def test_a_header_alone_is_no_row(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    assert load(connection, tmp_path / "campaigns.csv", "campaign_id,name\n").lines == 0


def test_parquet_rows_are_judged_like_csv_rows(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    path = tmp_path / "ad_spend_daily.parquet"
    pl.DataFrame(
        {
            "campaign_id": [A, A],
            "date": [date(2025, 5, 1), date(2025, 5, 2)],
            "platform": ["meta", "meta"],
            "spend": [0.1 + 0.2, float("nan")],
            "clicks": [3, 4],
            "reported_at": [datetime(2025, 5, 3, 1, tzinfo=UTC), None],
        }
    ).write_parquet(path)
    counts = load_reference_file(connection, "ad_spend_daily", path, load_id=1, ingested_at=T0, pii_key=PII_KEY)
    assert (counts.accepted, dict(counts.rejected_by_reason)) == (1, {"negative_amount": 1})
    assert rows(connection, "select date, spend, clicks, reported_at::varchar from lake.raw.ad_spend_daily") == [
        (date(2025, 5, 1), Decimal("0.3000"), 3, "2025-05-03 01:00:00")
    ]
    assert rows(connection, "select source_line from lake.raw.quarantine") == [(2,)]


def test_a_damaged_parquet_file_is_unreadable(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    path = tmp_path / "products.parquet"
    pl.DataFrame({"product_id": [str(n) for n in range(1000)]}).write_parquet(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UnreadableFileError, match=r"products\.parquet can't be read as Parquet"):
        load_reference_file(connection, "products", path, load_id=1, ingested_at=T0, pii_key=PII_KEY)


def test_a_long_file_keeps_its_order_and_line_numbers(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    count = 120_000
    lines = [f"p{number},{number}" for number in range(count)]
    load(connection, tmp_path / "products.csv", "\n".join(["product_id,name", *lines, "p7,last"]))
    assert rows(
        connection,
        "select count(*), count(*) filter (source_line <> name::bigint + 2) from lake.raw.products"
        " where name <> 'last'",
    ) == [(count - 1, 0)]
    assert rows(connection, "select product_id, source_line from lake.raw.products where name = 'last'") == [
        ("p7", count + 2)
    ]


def test_personal_data_is_masked_and_counted(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    counts = load(
        connection,
        tmp_path / "customers.csv",
        "user_id,region,birth_year,mail\nAnn@x.org,ask bob@x.org or +49 151 2345678,1980,\nu2,,never,carl@x.org\n",
    )
    assert counts.pii_masked == 3
    ((user_id, region),) = rows(connection, "select user_id, region from lake.raw.customers")
    assert user_id.startswith("pii_")
    assert region == "ask [email] or [phone]"
    ((raw,),) = rows(connection, "select raw_line from lake.raw.quarantine")
    assert "carl" not in raw


def test_both_spellings_of_an_address_are_one_customer(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    counts = load(connection, tmp_path / "customers.csv", "user_id,region\nAnn@x.org,1\nann@X.org,2\n")
    assert (counts.accepted, counts.duplicates) == (1, 1)


def test_rows_of_a_source_come_through_the_same_door(connection: duckdb.DuckDBPyConnection) -> None:
    table = pa.table({"campaign_id": [A, "bad"], "budget": [Decimal("5.00"), None]})
    counts = load_reference_rows(
        connection,
        "campaigns",
        table.to_reader(),
        load_id=1,
        ingested_at=T0,
        pii_key=PII_KEY,
        source_file="x.csv",
        filtered=3,
    )
    assert (counts.lines, counts.accepted, counts.rejected, counts.filtered) == (5, 1, 1, 3)
    assert rows(connection, "select budget, source_file, source_line from lake.raw.campaigns") == [
        (Decimal("5.0000"), "x.csv", 1)
    ]


def test_a_failed_transaction_leaves_nothing_and_the_connection_usable(lake: Lake, tmp_path: Path) -> None:
    with lake.writer() as connection:
        create_tables(connection, load_contract())
        with pytest.raises(RuntimeError), transaction(connection):
            load(connection, tmp_path / "customers.csv", "user_id\na\n")
            raise RuntimeError
        assert rows(connection, "select count(*) from lake.raw.customers") == [(0,)]
        with transaction(connection):
            load(connection, tmp_path / "customers.csv", "user_id\na\n")
        assert rows(connection, "select count(*) from lake.raw.customers") == [(1,)]


def test_a_landed_file_that_is_no_such_table_fails_alone(lake: Lake) -> None:
    landing = lake.settings.landing
    (landing / "campaigns.csv").write_text("id,name\n1,x\n")
    (landing / "products.csv").write_text("product_id,name\np1,write to ann@x.org\n")
    results = ingest_files(lake, [landing / "campaigns.csv", landing / "products.csv"], ingested_at=T0)
    assert [(result.status, result.pii_masked) for result in results] == [("failed", 0), ("loaded", 1)]
    assert "no column campaign_id" in str(results[0].error)
    with lake.reader() as reader:
        log = "select source_file, status, pii_masked from lake.ops.load_log order by 1"
        assert rows(reader, log) == [("campaigns.csv", "failed", 0), ("products.csv", "loaded", 1)]
