"""Next best offers against choosing customer by customer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_ml.customers import next_best_offers

NOW = datetime(2025, 3, 1, tzinfo=UTC)
SCHEMA = {
    "customer_id": pl.Int64,
    "offer": pl.String,
    "probability": pl.Float64,
    "value": pl.Float64,
    "cost": pl.Float64,
    "cooldown_days": pl.Int64,
    "last_offered_at": pl.Datetime("us", "UTC"),
}
ROW = st.tuples(
    st.integers(0, 3),
    st.sampled_from(["CASHBACK", "DISCOUNT", "LOYALTY"]),
    st.sampled_from([0.0, 0.25, 0.5, 1.0]),
    st.sampled_from([-5.0, 0.0, 10.0, 40.0]),
    st.sampled_from([0.0, 2.5, 5.0]),
    st.sampled_from([0, 1, 14]),
    st.none() | st.integers(0, 20).map(lambda days: NOW - timedelta(days=days)),
)


def candidates(*rows: tuple[Any, ...]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


@given(st.lists(ROW, max_size=12, unique_by=lambda row: row[:2]))
def test_offers_chosen_one_by_one(rows: list[tuple[Any, ...]]) -> None:
    expected = []
    for who in sorted({row[0] for row in rows}):
        mine = [row for row in rows if row[0] == who]
        ready = [row for row in mine if row[6] is None or NOW - row[6] >= timedelta(days=row[5])]
        paying = sorted((-(row[2] * row[3] - row[4]), row[4], row[1]) for row in ready if row[2] * row[3] > row[4])
        if paying:
            expected.append((who, paying[0][2], -paying[0][0], "offered"))
        else:
            expected.append((who, None, None, "not_worthwhile" if ready else "cooling_down"))
    assert next_best_offers(candidates(*rows), NOW).rows() == expected


def test_a_cooldown_ends_to_the_second() -> None:
    row = (1, "DISCOUNT", 0.5, 40.0, 5.0, 14)
    ended = next_best_offers(candidates((*row, NOW - timedelta(days=14))), NOW)
    assert ended["outcome"].to_list() == ["offered"]
    resting = next_best_offers(candidates((*row, NOW - timedelta(days=14) + timedelta(seconds=1))), NOW)
    assert resting["outcome"].to_list() == ["cooling_down"]


def test_instants_are_typed_and_of_one_kind() -> None:
    row = (1, "A", 0.5, 9.0, 1.0, 14, NOW)
    with pytest.raises(ValueError, match="give both or neither a time zone"):
        next_best_offers(candidates(row), NOW.replace(tzinfo=None))
    with pytest.raises(ValueError, match="last_offered_at is Null; give a Datetime"):
        next_best_offers(candidates(row).with_columns(last_offered_at=None), NOW)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((1, "A", 1.5, 1.0, 1.0, 0, None), "outside 0 to 1"),
        ((1, "A", float("nan"), 1.0, 1.0, 0, None), "probability has 1 values"),
        ((1, "A", 0.5, float("inf"), 1.0, 0, None), "value has 1 values"),
        ((1, None, 0.5, 1.0, 1.0, 0, None), "offer has 1 nulls"),
    ],
)
def test_what_is_wrong_is_named(row: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        next_best_offers(candidates(row), NOW)
    good = (1, "A", 0.5, 1.0, 1.0, 0, None)
    with pytest.raises(ValueError, match="more than once"):
        next_best_offers(candidates(good, good), NOW)
