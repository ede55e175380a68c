"""Reference history: the newest statement per key is current, the earlier ones are kept, changed days are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.ingestion.tables import T0, A, load, rows


def test_history_closes_what_changed_and_leaves_the_rest(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    load(connection, path, "user_id,region,birth_year\na,north,1980\nb,south,1990\n", load_id=1)
    # The second file says nothing about birth years, nothing new about a, and a new region for b.
    counts = load(connection, path, "user_id,region\na,north\nb,east\nc,west\n", load_id=2, at=T0 + timedelta(days=1))
    assert (counts.accepted, counts.replaced, counts.duplicates) == (2, 1, 1)
    first, second = T0.replace(tzinfo=None), (T0 + timedelta(days=1)).replace(tzinfo=None)
    history = "select user_id, region, birth_year, valid_from, valid_to, load_id, closed_by_load_id"
    assert rows(connection, f"{history} from lake.raw.customers order by user_id, load_id") == [
        ("a", "north", 1980, first, None, 1, None),
        ("b", "south", 1990, first, second, 1, 2),
        ("b", "east", 1990, second, None, 2, None),
        ("c", "west", None, second, None, 2, None),
    ]


def test_an_empty_cell_takes_a_value_back(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    load(connection, path, "user_id,region\na,north\n", load_id=1)
    load(connection, path, 'user_id,region\na,""\n', load_id=2)
    assert rows(connection, "select region from lake.raw.customers where valid_to is null") == [(None,)]


def test_the_last_of_repeated_rows_wins(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    counts = load(connection, tmp_path / "customers.csv", "user_id,region\na,1\nb,2\na,3\n a ,4\n")
    assert (counts.accepted, counts.duplicates) == (2, 2)
    assert rows(connection, "select user_id, region from lake.raw.customers order by 1") == [("a", "4"), ("b", "2")]


SPEND = "campaign_id,date,platform,spend,reported_at\n"


def test_an_older_statement_of_spend_changes_nothing(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    path = tmp_path / "ad_spend_daily.csv"
    load(connection, path, f"{SPEND}{A},2025-05-01,meta,10,2025-05-10T00:00:00Z\n", load_id=1)
    counts = load(connection, path, f"{SPEND}{A},2025-05-01,meta,7,2025-05-09T23:59:59Z\n", load_id=2)
    assert (counts.accepted, counts.duplicates) == (0, 1)
    assert rows(connection, "select spend from lake.raw.ad_spend_daily") == [(Decimal("10.0000"),)]
    # Two hours ahead of UTC: a second before the first statement, though its clock reads later.
    late = f"{SPEND}{A},2025-05-01,meta,8,2025-05-10T01:59:59+02:00\n"
    assert load(connection, path, late, load_id=3).duplicates == 1


def test_only_changed_figures_touch_their_day(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    path = tmp_path / "ad_spend_daily.csv"
    load(connection, path, f"{SPEND}{A},2025-05-01,meta,10,2025-05-10\n{A},2025-05-02,meta,11,2025-05-10\n", load_id=1)
    load(connection, path, f"{SPEND}{A},2025-05-01,meta,10,2025-05-12\n{A},2025-05-02,meta,12,2025-05-12\n", load_id=2)
    assert rows(connection, "select * from lake.ops.touched_days order by load_id, event_date") == [
        (1, date(2025, 5, 1), None, "ad_spend_daily"),
        (1, date(2025, 5, 2), None, "ad_spend_daily"),
        (2, date(2025, 5, 2), None, "ad_spend_daily"),
    ]
    # The confirmed figure is newer than what was reported in between, so that must not overwrite it.
    assert load(connection, path, f"{SPEND}{A},2025-05-01,meta,9,2025-05-11\n", load_id=3).duplicates == 1


def test_a_rate_touches_the_days_with_data_until_the_next_one(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    for day in (1, 4, 5, 9):
        connection.execute(
            "insert into lake.raw.events by name select uuid() as event_id, make_date(2025, 5, $day) as event_date",
            {"day": day},
        )
    load(connection, tmp_path / "ad_spend_daily.csv", f"{SPEND}{A},2025-05-03,meta,1,\n", load_id=1)
    connection.execute("delete from lake.ops.touched_days")
    path = tmp_path / "fx_rates.csv"
    load(connection, path, "date,currency,rate\n2025-05-05,EUR,1.1\n2025-05-07,GBP,1.3\n", load_id=2)
    load(connection, path, "date,currency,rate\n2025-05-02,EUR,1.2\n", load_id=3)
    load(connection, path, "date,currency,rate\n2025-05-02,EUR,1.2\n", load_id=4)
    assert rows(connection, "select load_id, event_date, cause from lake.ops.touched_days order by 1, 2") == [
        (2, date(2025, 5, 5), "fx_rates"),
        (2, date(2025, 5, 9), "fx_rates"),
        (3, date(2025, 5, 3), "fx_rates"),
        (3, date(2025, 5, 4), "fx_rates"),
    ]


Statement = tuple[str, int, int | None]
"""Key, spend and hour of the report (None: reported when it is ingested)."""


@dataclass
class Ledger:
    """What must stand in the table, worked out with a dictionary."""

    current: dict[str, tuple[int, int | None, int]] = field(default_factory=dict)
    history: list[tuple[str, int, int]] = field(default_factory=list)
    touched: set[tuple[int, str]] = field(default_factory=set)

    def load(self, load_id: int, statements: Sequence[Statement]) -> tuple[int, int]:
        """Take in one file; return how many rows are accepted and replaced."""
        last: dict[str, tuple[int, int | None]] = {}
        for key, spend, hour in statements:
            if key not in last or self._hour(hour, load_id) >= self._hour(last[key][1], load_id):
                last[key] = spend, hour
        accepted = replaced = 0
        for key, (spend, hour) in last.items():
            old = self.current.get(key)
            if old and (self._hour(hour, load_id) < self._hour(old[1], old[2]) or old[:2] == (spend, hour)):
                continue
            accepted += 1
            replaced += old is not None
            if old:
                self.history.append((key, old[0], old[2]))
            if not old or old[0] != spend:
                self.touched.add((load_id, key))
            self.current[key] = spend, hour, load_id
        return accepted, replaced

    @staticmethod
    def _hour(hour: int | None, load_id: int) -> int:
        """Loads come at the hours 10, 20, 30 …"""
        return load_id * 10 if hour is None else hour


DAYS = ("2025-05-01", "2025-05-02", "2025-05-03")
STATEMENTS = st.lists(
    st.tuples(st.sampled_from(DAYS), st.integers(0, 3), st.none() | st.integers(0, 45)), min_size=1, max_size=6
)


@hypothesis.settings(max_examples=40)
@given(files=st.lists(STATEMENTS, min_size=1, max_size=4))
def test_any_sequence_of_files_gives_what_a_dictionary_gives(
    shared: duckdb.DuckDBPyConnection, tmp_path_factory: pytest.TempPathFactory, files: list[list[Statement]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "ad_spend_daily.csv"
    ledger = Ledger()
    midnight = datetime(2025, 6, 1, tzinfo=UTC)
    shared.execute("begin transaction")
    try:
        for load_id, statements in enumerate(files, start=1):
            body = "".join(
                f"{A},{day},meta,{spend},{'' if hour is None else (midnight + timedelta(hours=hour)).isoformat()}\n"
                for day, spend, hour in statements
            )
            counts = load(shared, path, SPEND + body, load_id=load_id, at=midnight + timedelta(hours=load_id * 10))
            assert (counts.accepted, counts.replaced) == ledger.load(load_id, statements)
            assert counts.accepted + counts.duplicates == counts.lines == len(statements)
        current = "select date::varchar, spend::int, load_id from lake.raw.ad_spend_daily where valid_to is null"
        assert set(rows(shared, current)) == {(k, spend, load_id) for k, (spend, _, load_id) in ledger.current.items()}
        closed = "select date::varchar, spend::int, load_id from lake.raw.ad_spend_daily where valid_to is not null"
        assert sorted(rows(shared, closed)) == sorted(ledger.history)
        touched = "select load_id, event_date::varchar from lake.ops.touched_days"
        assert sorted(rows(shared, touched)) == sorted(ledger.touched)
    finally:
        shared.execute("rollback")
