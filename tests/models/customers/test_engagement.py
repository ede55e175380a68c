"""Engagement: the index event by event, and whether its probabilities come true."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

from models_ml.customers import EngagementModel, EngagementRules, engagement_index, evaluate, fit_engagement
from models_ml.reasons import NotComputable, Reason

NOW = datetime(2025, 3, 1, tzinfo=UTC)
RULES = EngagementRules({"email_opened": 1.0, "email_clicked": 3.0}, half_life_days=10)
EVENT = st.tuples(
    st.integers(0, 3),
    st.sampled_from(["email_opened", "email_clicked", "page_view"]),
    st.integers(-5, 90),
    st.integers(0, 4),
)


def events(rows: list[tuple[int, str, int, int]]) -> pl.DataFrame:
    return pl.DataFrame(
        [(who, kind, NOW - timedelta(days=age), count) for who, kind, age, count in rows],
        schema={
            "customer_id": pl.Int64,
            "event_type": pl.String,
            "occurred_at": pl.Datetime("us", "UTC"),
            "count": pl.Int64,
        },
        orient="row",
    )


@given(st.lists(EVENT, max_size=20))
def test_the_index_event_by_event(rows: list[tuple[int, str, int, int]]) -> None:
    found = dict(engagement_index(events(rows), NOW, RULES).iter_rows())
    past = [row for row in rows if row[2] > 0]
    assert list(found) == sorted({row[0] for row in past})
    for who, index in found.items():
        expected = sum(
            count * RULES.weights.get(kind, 0.0) * 0.5 ** (age / 10) for other, kind, age, count in past if other == who
        )
        assert index == pytest.approx(expected)


def test_probabilities_agree_with_statsmodels_and_come_true() -> None:
    chance = np.random.default_rng(4)
    index = chance.gamma(0.8, 3, 6000)
    truth = 1 / (1 + np.exp(2 - 1.1 * np.log1p(index)))
    responded = (chance.random(6000) < truth).astype(int)
    model = fit_engagement(index[:3000], responded[:3000])
    assert isinstance(model, EngagementModel)
    theirs = sm.Logit(responded[:3000], sm.add_constant(np.log1p(index[:3000]))).fit(disp=0).params
    assert [model.intercept, model.slope] == pytest.approx(theirs, abs=1e-3)
    measured = evaluate(responded[3000:], model.probability(index[3000:]))
    assert isinstance(measured, dict)
    assert measured["ece"].value < 0.03
    assert (np.diff(model.probability(np.arange(10.0))) > 0).all()


@pytest.mark.parametrize(
    ("index", "responded", "reason"),
    [
        ([1.0, 2.0], [0, 0], Reason.ONE_CLASS_ONLY),
        ([1.0, 2.0], [1, 1], Reason.ONE_CLASS_ONLY),
        ([], [], Reason.ONE_CLASS_ONLY),
        ([2.0, 2.0], [0, 1], Reason.NO_VARIATION),
        ([1.0, 2.0, 3.0, 4.0], [1, 1, 0, 1], Reason.NO_VARIATION),
    ],
)
def test_reasons(index: list[float], responded: list[int], reason: Reason) -> None:
    found = fit_engagement(index, responded)
    assert isinstance(found, NotComputable)
    assert found.reason is reason


def test_refusals() -> None:
    bad: list[Any] = [[-1.0], [float("nan")], [float("inf")]]
    for index in bad:
        with pytest.raises(ValueError, match="index is negative, NaN or infinite"):
            fit_engagement(index, [1])
    with pytest.raises(ValueError, match="0 or 1"):
        fit_engagement([1.0], [2])
    with pytest.raises(ValueError, match="finite weights from 0 on"):
        EngagementRules({"unsubscribed": -5.0})
    with pytest.raises(ValueError, match="count falls to -1"):
        engagement_index(events([(1, "email_opened", 3, -1)]), NOW, RULES)
