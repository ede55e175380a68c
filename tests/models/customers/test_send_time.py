"""Send hours against the formula customer by customer."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_ml.customers import best_send_hours
from models_ml.reasons import NotComputable, Reason

ROW = st.tuples(st.integers(0, 4), st.integers(0, 23), st.integers(0, 30))


def responses(rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"customer_id": pl.Int64, "hour": pl.Int64, "responses": pl.Int64}, orient="row")


@given(st.lists(ROW, min_size=1, max_size=25), st.sampled_from([0.5, 20.0, 500.0]))
def test_shares_by_the_formula(rows: list[tuple[int, int, int]], kappa: float) -> None:
    total = sum(row[2] for row in rows)
    found = best_send_hours(responses(rows), kappa=kappa)
    if not total:
        assert found == NotComputable(Reason.NO_DATA, "No customer responded at any hour.")
        return
    assert isinstance(found, pl.DataFrame)

    def smoothed(hour: int, who: int | None = None) -> float:
        weights = {hour: 0.5, (hour + 1) % 24: 0.25, (hour - 1) % 24: 0.25}
        return sum(weights.get(at, 0) * count for other, at, count in rows if who in (None, other))

    assert found["customer_id"].to_list() == sorted({row[0] for row in rows})
    for who, hour, share, weight in found.iter_rows():
        n = sum(row[2] for row in rows if row[0] == who)
        shares = [(smoothed(at, who) + kappa * smoothed(at) / total) / (n + kappa) for at in range(24)]
        assert sum(shares) == pytest.approx(1)
        assert hour == next(at for at in range(24) if shares[at] > max(shares) - 1e-11)
        assert share == pytest.approx(max(shares))
        assert weight == pytest.approx(n / (n + kappa))


def test_few_responses_follow_the_crowd_and_many_their_own_habit() -> None:
    crowd = [(who, 19, 5) for who in range(100, 200)]
    found = best_send_hours(responses([*crowd, (1, 7, 2), (2, 7, 60), (3, 0, 30), (3, 23, 31)]))
    assert isinstance(found, pl.DataFrame)
    hours = dict(found.select("customer_id", "hour").rows())
    assert (hours[1], hours[2], hours[3]) == (19, 7, 23)


@pytest.mark.parametrize(
    ("row", "message"), [((1, 24, 1), "outside 0 to 23"), ((1, -1, 1), "outside 0 to 23"), ((1, 3, -1), "below 0")]
)
def test_impossible_responses_are_refused(row: tuple[int, int, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        best_send_hours(responses([row]))
    with pytest.raises(ValueError, match="kappa is 0"):
        best_send_hours(responses([(1, 1, 1)]), kappa=0)
    assert isinstance(best_send_hours(responses([])), NotComputable)
