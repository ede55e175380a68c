"""Measures of probabilities against counting by hand and against resampling."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_fscore_support

from models_ml.customers import auc_difference, evaluate
from models_ml.reasons import NotComputable, Reason
from models_ml.registry import Metric

CASE = st.tuples(st.booleans(), st.integers(0, 20).map(lambda twentieth: twentieth / 20))


def by_pairs(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """1, ½ or 0 for every pair of a positive (rows) and a negative (columns)."""
    return (p[y == 1][:, None] > p[y == 0]) + 0.5 * (p[y == 1][:, None] == p[y == 0])


@settings(max_examples=80)
@given(st.lists(CASE, min_size=4, max_size=40))
def test_measures_by_counting(cases: list[tuple[bool, float]]) -> None:
    y, p = np.array([case[0] for case in cases], dtype=int), np.array([case[1] for case in cases])
    found = evaluate(y, p)
    if min(y.sum(), len(y) - y.sum()) < 2:
        assert isinstance(found, NotComputable)
        assert found.reason is Reason.ONE_CLASS_ONLY
        return
    assert isinstance(found, dict)
    pairs = by_pairs(y, p)
    assert found["auc"].value == pytest.approx(pairs.mean())
    assert found["brier"].value == pytest.approx(((p - y) ** 2).mean())
    assert found["rate"] == Metric(y.mean())
    # DeLong's variance: of the rows' means over positives and of the columns' over negatives.
    variance = pairs.mean(1).var(ddof=1) / y.sum() + pairs.mean(0).var(ddof=1) / (len(y) - y.sum())
    if variance > 1e-12:
        auc = pairs.mean()
        slope = auc * (1 - auc)
        low, high = found["auc"].low, found["auc"].high
        assert low is not None and high is not None
        assert 0 < low < auc < high < 1
        width = np.log(high / (1 - high)) - np.log(low / (1 - low))
        assert width == pytest.approx(2 * 1.959964 * np.sqrt(variance) / slope, rel=1e-5)
    bins = [min(int(value * 10 + 1e-9), 9) for value in p]
    error = sum(abs(sum(p[i] - y[i] for i in range(len(y)) if bins[i] == place)) for place in range(10)) / len(y)
    assert found["ece"].value == pytest.approx(error)
    precision, recall, f1, _ = precision_recall_fscore_support(y, p >= 0.5, average="binary", zero_division=np.nan)
    assert found["recall"].value == pytest.approx(recall)
    assert found["f1"].value == pytest.approx(f1)
    assert ("precision" in found) == any(p >= 0.5)
    if "precision" in found:
        assert found["precision"].value == pytest.approx(precision)


def test_the_interval_of_auc_is_that_of_resampling() -> None:
    chance = np.random.default_rng(8)
    p = chance.beta(1, 3, 1500)
    y = (chance.random(1500) < p).astype(int)
    found = evaluate(y, p)
    assert isinstance(found, dict)
    drawn = [chance.integers(0, 1500, 1500) for _ in range(400)]
    resampled = [by_pairs(y[rows], p[rows]).mean() for rows in drawn]
    auc = found["auc"]
    assert auc.low == pytest.approx(np.quantile(resampled, 0.025), abs=0.006)
    assert auc.high == pytest.approx(np.quantile(resampled, 0.975), abs=0.006)


def test_the_difference_of_two_aucs_knows_that_they_share_cases() -> None:
    chance = np.random.default_rng(9)
    p = chance.beta(1, 3, 1200)
    y = (chance.random(1200) < p).astype(int)
    near, far = np.clip(p + chance.normal(0, 0.02, 1200), 0, 1), chance.random(1200)
    same = auc_difference(y, p, p)
    assert same == Metric(0.0, 0.0, 0.0)
    close, wide = auc_difference(y, p, near), auc_difference(y, p, far)
    assert isinstance(close, Metric) and isinstance(wide, Metric)
    assert close.low is not None and wide.low is not None and wide.high is not None and close.high is not None
    assert close.high - close.low < 0.25 * (wide.high - wide.low)
    assert wide.low > 0.1
    drawn = [chance.integers(0, 1200, 1200) for _ in range(300)]
    resampled = [by_pairs(y[rows], p[rows]).mean() - by_pairs(y[rows], far[rows]).mean() for rows in drawn]
    assert wide.low == pytest.approx(np.quantile(resampled, 0.025), abs=0.015)
    assert wide.high == pytest.approx(np.quantile(resampled, 0.975), abs=0.015)


def test_lift_is_shared_among_ties_at_the_border_and_blind_to_order() -> None:
    y = np.array([1] * 10 + [0] * 90)
    perfect = evaluate(y, np.linspace(1, 0, 100))
    assert isinstance(perfect, dict)
    assert perfect["top_decile_lift"].value == pytest.approx(10)
    assert perfect["auc"] == Metric(1.0)
    blind = evaluate(y, np.full(100, 0.1))
    assert isinstance(blind, dict)
    assert blind["top_decile_lift"].value == pytest.approx(1)
    assert blind["ece"].value == pytest.approx(0)
    assert blind["auc"].value == 0.5
    odd = evaluate(y[:95], np.linspace(1, 0, 95))
    assert isinstance(odd, dict)
    assert odd["top_decile_lift"].value == pytest.approx(9.5 / 9.5 * 95 / 10)


@pytest.mark.parametrize(
    ("y", "p", "message"),
    [
        ([0, 1, 2], [0.1, 0.2, 0.3], "neither 0 nor 1"),
        ([0, 1], [0.1, 1.2], "not between 0 and 1"),
        ([0, 1], [0.1, float("nan")], "not between 0 and 1"),
        ([0, 1], [0.1], "one of each per case"),
    ],
)
def test_what_is_wrong_is_named(y: list[int], p: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        evaluate(y, p)


def test_no_cases_no_measures() -> None:
    assert isinstance(evaluate([], []), NotComputable)
    assert isinstance(auc_difference([1, 1], [0.2, 0.3], [0.1, 0.1]), NotComputable)
