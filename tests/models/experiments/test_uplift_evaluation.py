"""AUC, precision, recall and F1 of uplift: against scikit-learn, against resampling, and against effects that are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_fscore_support, roc_auc_score

from models_ml.experiments import evaluate_uplift, targeting_curve
from models_ml.reasons import NotComputable, Reason
from models_ml.registry import Metric

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def metrics(found: dict[str, Metric] | NotComputable) -> dict[str, Metric]:
    assert isinstance(found, dict)
    return found


def transformed(arm: Flags, converted: Floats) -> tuple[Flags, Floats]:
    """Who is positive, and weights that make both arms count the same."""
    positive = np.where(arm, converted == 1, converted == 0)
    return positive, np.where(arm, 1 / arm.sum(), 1 / (~arm).sum())


def experiment(users: int, seed: int, share: float = 0.5) -> tuple[Floats, Flags, Floats, Floats]:
    """A score, the arm, who converted, and the true effect, which the score orders but overstates."""
    rng = np.random.default_rng(seed)
    rank = rng.random(users)
    effect = 0.5 * rank - 0.1
    arm = rng.random(users) < share
    converted = (rng.random(users) < 0.3 + effect * arm).astype(float)
    return 2 * effect, arm, converted, effect


@given(
    st.lists(st.tuples(st.integers(-3, 3), st.booleans(), st.booleans()), min_size=4, max_size=40).filter(
        lambda users: (
            min(
                sum(arm for _, arm, _ in users),
                sum(not arm for _, arm, _ in users),
                sum(arm == converts for _, arm, converts in users),
                sum(arm != converts for _, arm, converts in users),
            )
            >= 2
        )
    )
)
def test_it_is_classification_of_the_transformed_class(users: list[tuple[int, bool, bool]]) -> None:
    score, arm, converted = (np.array(column) for column in zip(*users, strict=True))
    found = metrics(evaluate_uplift(score, arm, converted))
    positive, weight = transformed(arm, converted)
    assert found["auc"].value == pytest.approx(roc_auc_score(positive, score, sample_weight=weight))
    precision, recall, f1, _ = precision_recall_fscore_support(
        positive, score > 0, sample_weight=weight, average="binary", zero_division=np.nan
    )
    assert found["recall"].value == pytest.approx(recall)
    assert ("precision" in found) == (max(score) > 0)
    if "precision" in found:
        assert found["precision"].value == pytest.approx(precision)
    assert found["f1"].value == pytest.approx(f1)
    curve = targeting_curve(score, arm, converted)
    assert not isinstance(curve, NotComputable)
    assert found["qini"].value == curve.qini_area
    turned = metrics(evaluate_uplift(-score, arm, converted))
    assert turned["auc"].value == pytest.approx(1 - found["auc"].value)
    again = metrics(evaluate_uplift(np.exp(score), arm, converted, threshold=1.0))
    assert [again[name].value for name in again] == pytest.approx([found[name].value for name in found])
    if found["auc"].low is not None and found["auc"].high is not None:
        assert 0 <= found["auc"].low <= found["auc"].value <= found["auc"].high <= 1


@pytest.mark.parametrize("share", [0.5, 0.85])
def test_the_interval_is_as_wide_as_resampled_experiments_spread(share: float) -> None:
    score, arm, converted, _ = experiment(2_000, 1, share)
    positive, weight = transformed(arm, converted)
    rng, arms = np.random.default_rng(2), [np.flatnonzero(arm), np.flatnonzero(~arm)]
    draws = []
    for _ in range(400):
        drawn = np.concatenate([rng.choice(side, len(side)) for side in arms])
        draws.append(roc_auc_score(positive[drawn], score[drawn], sample_weight=weight[drawn]))
    auc = metrics(evaluate_uplift(score, arm, converted))["auc"]
    assert auc.low is not None
    assert auc.high is not None
    assert (auc.high - auc.low) / (2 * 1.96) == pytest.approx(np.std(draws), rel=0.1)


def auc_of_known_effects(effect: Floats) -> float:
    """Of users whose score orders their effects: ½ + 2A/(1 − τ̄²), A by adding up the curve user by user."""
    ranked = np.sort(effect)[::-1]
    gained = np.concatenate([[0.0], np.cumsum(ranked) / len(ranked)])
    area = (gained[1:] + gained[:-1]).sum() / 2 / len(ranked) - gained[-1] / 2
    return float(0.5 + 2 * area / (1 - gained[-1] ** 2))


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_it_is_the_area_under_the_uplift_curve_in_another_unit(share: float) -> None:
    score, arm, converted, effect = experiment(400_000, 3, share)
    auc = metrics(evaluate_uplift(score, arm, converted))["auc"]
    assert auc.value == pytest.approx(auc_of_known_effects(effect), abs=0.004)
    by_chance = metrics(evaluate_uplift(np.random.default_rng(4).random(400_000), arm, converted))["auc"]
    assert by_chance.value == pytest.approx(0.5, abs=0.004)


@pytest.mark.slow
@pytest.mark.parametrize(("users", "share"), [(300, 0.5), (2_000, 0.9)])
def test_intervals_hold_the_truth_as_often_as_they_say(users: int, share: float) -> None:
    truth = auc_of_known_effects(0.5 * (np.arange(100_000) + 0.5) / 100_000 - 0.1)
    held = 0
    for seed in range(1_000):
        score, arm, converted, _ = experiment(users, seed, share)
        auc = metrics(evaluate_uplift(score, arm, converted))["auc"]
        assert auc.low is not None
        assert auc.high is not None
        held += auc.low <= truth <= auc.high
    assert held / 1_000 == pytest.approx(0.95, abs=0.02)


def test_small_effects_keep_a_perfect_order_near_one_half() -> None:
    _, arm, _, _ = experiment(100_000, 5)
    rng = np.random.default_rng(6)
    moved = rng.random(100_000) < 0.1
    converted = (rng.random(100_000) < 0.05 + 0.2 * moved * arm).astype(float)
    assert metrics(evaluate_uplift(moved, arm, converted))["auc"].value == pytest.approx(0.5 + 0.018, abs=0.006)


def test_a_perfect_order_and_none() -> None:
    arm, moved = np.arange(40) % 2 == 0, np.arange(40) < 20
    converted = (arm == moved).astype(float)
    found = metrics(evaluate_uplift(np.where(moved, 1.0, -1.0), arm, converted))
    assert found["auc"] == Metric(1.0)
    assert (found["precision"].value, found["recall"].value, found["f1"].value) == (1.0, 1.0, 1.0)
    constant = metrics(evaluate_uplift(np.zeros(40), arm, converted))
    assert constant["auc"] == Metric(0.5)
    assert constant["recall"].value == constant["f1"].value == 0
    assert "precision" not in constant


def test_what_cannot_be_judged_says_why() -> None:
    score, arm, converted, _ = experiment(50, 7)
    lone = np.arange(50) == 0
    for found, reason in (
        (evaluate_uplift([], [], []), Reason.NO_DATA),
        (evaluate_uplift(score, np.ones(50), converted), Reason.NO_CONTROL),
        (evaluate_uplift(score, lone, converted), Reason.TOO_FEW_CUSTOMERS),
        (evaluate_uplift(score, arm, arm), Reason.ONE_CLASS_ONLY),
        (evaluate_uplift(score, arm, ~arm), Reason.ONE_CLASS_ONLY),
    ):
        assert isinstance(found, NotComputable)
        assert found.reason == reason
    with pytest.raises(ValueError, match="judge revenue by judge_targeting"):
        evaluate_uplift(score, arm, 20 * converted)
    with pytest.raises(ValueError, match="one per user"):
        evaluate_uplift(score[:9], arm, converted)
    with pytest.raises(ValueError, match="not finite"):
        evaluate_uplift(np.where(arm, np.nan, score), arm, converted)
