"""Learners of effects against their definitions, and targeting curves against counting user by user."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.linear_model import LinearRegression, LogisticRegression

from models_ml.experiments import (
    UPLIFT_TYPES,
    TargetingCurve,
    TargetingGate,
    UpliftModel,
    evaluate_uplift,
    fit_uplift,
    judge_targeting,
    targeting_curve,
    uplift_importances,
)
from models_ml.reasons import NotComputable, Reason
from models_ml.registry import ModelVersion, Provenance, dump, hash_of, load, register

Floats = NDArray[np.float64]


def experiment(users: int, seed: int, *, share: float = 0.5) -> tuple[Floats, NDArray[np.bool_], Floats, Floats]:
    """Features, arm, outcome and true effect: the effect grows with the first feature, the outcome with the second."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(users, 3))
    arm = rng.random(users) < share
    effect = np.maximum(rows[:, 0], 0)
    outcome = 2 * rows[:, 1] + effect * arm + rng.normal(size=users)
    return rows, arm, outcome, effect


def fitted(found: UpliftModel | NotComputable) -> UpliftModel:
    assert isinstance(found, UpliftModel)
    return found


def drawn(found: TargetingCurve | NotComputable) -> TargetingCurve:
    assert isinstance(found, TargetingCurve)
    return found


def test_learners_are_what_they_are_defined_to_be() -> None:
    rows, arm, outcome, _ = experiment(2_000, 1, share=0.7)
    plain = LinearRegression()
    control, treatment = (LinearRegression().fit(rows[arm == side], outcome[arm == side]) for side in (False, True))
    t = fitted(fit_uplift("t", rows, arm, outcome, outcome_model=plain))
    assert t.predict(rows) == pytest.approx(treatment.predict(rows) - control.predict(rows))
    s = fitted(fit_uplift("s", rows, arm, outcome, outcome_model=plain))
    both = LinearRegression().fit(np.column_stack([rows, arm]), outcome)
    assert s.predict(rows) == pytest.approx(np.full(2_000, both.coef_[-1]))
    x = fitted(fit_uplift("x", rows, arm, outcome, outcome_model=plain, effect_model=plain))
    on_treated = LinearRegression().fit(rows[arm], outcome[arm] - control.predict(rows[arm]))
    on_control = LinearRegression().fit(rows[~arm], treatment.predict(rows[~arm]) - outcome[~arm])
    share = arm.mean()
    expected = share * on_control.predict(rows) + (1 - share) * on_treated.predict(rows)
    assert x.predict(rows) == pytest.approx(expected)
    assert not hasattr(plain, "coef_")


@pytest.mark.slow
@pytest.mark.parametrize("learner", ["s", "t", "x"])
def test_learners_find_who_is_moved(learner: Any) -> None:
    rows, arm, outcome, _ = experiment(6_000, 2)
    fresh, _, _, effect = experiment(3_000, 3)
    found = fitted(fit_uplift(learner, rows, arm, outcome)).predict(fresh)
    assert np.corrcoef(found, effect)[0, 1] > 0.75
    assert (found == fitted(fit_uplift(learner, rows, arm, outcome)).predict(fresh)).all()
    converts = (outcome > 0).astype(float)
    chances = fitted(fit_uplift(learner, rows, arm, converts)).predict(fresh)
    assert (np.abs(chances) <= 1).all()
    assert np.corrcoef(chances, effect)[0, 1] > 0.4


def test_any_classifier_gives_chances() -> None:
    rows, arm, outcome, _ = experiment(2_000, 4)
    found = fitted(fit_uplift("t", rows, arm, outcome > 0, outcome_model=LogisticRegression()))
    assert (np.abs(found.predict(rows)) <= 1).all()


@pytest.mark.parametrize(("learner", "outcome"), [("s", "conversions"), ("t", "conversions"), ("x", "revenue")])
def test_a_model_comes_back_from_the_registry(learner: Any, outcome: str) -> None:
    rows, arm, revenue, _ = experiment(1_000, 11)
    values = revenue if outcome == "revenue" else (revenue > 0).astype(float)
    model, same = (fitted(fit_uplift(learner, rows, arm, values, seed=3)) for _ in range(2))
    metrics = evaluate_uplift(model.predict(rows), arm, revenue > 0)
    assert isinstance(metrics, dict)
    version, content = register(
        model,
        kind="uplift",
        provenance=Provenance(datetime(2025, 6, 30), datetime(2025, 5, 1), datetime(2025, 6, 1), "7"),  # noqa: DTZ001
        inputs=pl.DataFrame(rows, schema=["a", "b", "c"]),
        trusted=UPLIFT_TYPES,
        parameters={"learner": learner},
        metrics=metrics,
        importances=dict(zip("abc", uplift_importances(model, rows, seed=1).tolist(), strict=True)),
    )
    assert dump(same, UPLIFT_TYPES) == content
    again = load(content, UPLIFT_TYPES, version.artifact_hash)
    assert (again.learner, again.treatment_share) == (learner, model.treatment_share)
    assert (again.predict(rows) == model.predict(rows)).all()
    assert ModelVersion.from_row(version.row()) == version
    for declared, missing in (((), "UpliftModel"), ((UpliftModel,), "TreePredictor")):
        with pytest.raises(ValueError, match=f"{missing}.* not declared as trusted"):
            dump(model, declared)
        with pytest.raises(ValueError, match=f"{missing}.* not declared as trusted"):
            load(content, declared, version.artifact_hash)


def test_a_model_of_foreign_parts_is_not_stored() -> None:
    rows, arm, outcome, _ = experiment(500, 12)
    plain = fitted(fit_uplift("t", rows, arm, outcome, outcome_model=LinearRegression()))
    content = dump(plain, UPLIFT_TYPES)
    assert (load(content, UPLIFT_TYPES, hash_of(content)).predict(rows) == plain.predict(rows)).all()
    foreign = UpliftModel("t", (*plain.estimators[:1], Fraction(1, 3)), 0.5)
    with pytest.raises(ValueError, match=r"fractions.Fraction, which are not declared"):
        dump(foreign, UPLIFT_TYPES)


def test_importances_are_what_the_effect_hangs_on() -> None:
    """Of a linear effect c·x, |c| times the mean distance of two users: 2/√π for normal features."""
    rows, arm, outcome, _ = experiment(50_000, 13)
    linear = fitted(fit_uplift("t", rows, arm, outcome, outcome_model=LinearRegression()))
    slopes = linear.estimators[1].coef_ - linear.estimators[0].coef_
    assert uplift_importances(linear, rows, seed=1) == pytest.approx(np.abs(slopes) * 2 / np.sqrt(np.pi), rel=0.03)
    trees = fitted(fit_uplift("t", rows[:5_000], arm[:5_000], outcome[:5_000]))
    found = uplift_importances(trees, rows[:5_000], seed=1)
    assert found.argmax() == 0
    assert found[2] < 0.1 * found[0]
    assert (found == uplift_importances(trees, rows[:5_000], seed=1)).all()
    constant = uplift_importances(trees, np.ones((9, 3)), seed=1)
    assert (constant == 0).all()
    with pytest.raises(ValueError, match="no users"):
        uplift_importances(trees, rows[:0], seed=1)


def test_what_teaches_nothing_says_why() -> None:
    rows, arm, outcome, _ = experiment(500, 5)
    few = np.arange(500) < 40
    for found, reason in (
        (fit_uplift("t", rows[:0], arm[:0], outcome[:0]), Reason.NO_DATA),
        (fit_uplift("t", rows, np.ones(500), outcome), Reason.NO_CONTROL),
        (fit_uplift("t", rows, few, outcome), Reason.TOO_FEW_CUSTOMERS),
        (fit_uplift("t", rows, arm, np.where(arm, 0.0, outcome > 0)), Reason.ONE_CLASS_ONLY),
        (fit_uplift("t", rows, arm, np.where(arm, 7.0, outcome)), Reason.NO_VARIATION),
        (targeting_curve(outcome, np.ones(500), outcome), Reason.NO_CONTROL),
        (judge_targeting(outcome, outcome, np.zeros(500), outcome, seed=1), Reason.NO_DATA),
        (targeting_curve([], [], []), Reason.NO_DATA),
    ):
        assert isinstance(found, NotComputable)
        assert found.reason == reason


def test_mistakes_are_named() -> None:
    rows, arm, outcome, _ = experiment(500, 6)
    with pytest.raises(ValueError, match="learner is 'r'"):
        fit_uplift("r", rows, arm, outcome)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="500 outcomes"):
        fit_uplift("t", rows[:9], arm, outcome)
    with pytest.raises(ValueError, match="something else than 0 and 1"):
        fit_uplift("t", rows, outcome, outcome)
    with pytest.raises(ValueError, match="users × features"):
        fit_uplift("t", outcome, arm, outcome)
    with pytest.raises(ValueError, match="one per user"):
        targeting_curve(outcome[:9], arm, outcome)
    with pytest.raises(ValueError, match="draws is 0"):
        judge_targeting(outcome, outcome, arm, outcome, seed=1, draws=0)
    with pytest.raises(ValueError, match="not finite"):
        targeting_curve(np.where(arm, np.nan, 1.0), arm, outcome)


def by_counting(score: Floats, arm: NDArray[np.bool_], outcome: Floats) -> tuple[list[float], list[float], list[float]]:
    """The curves, one threshold after the other."""
    share, qini, uplift = [0.0], [0.0], [0.0]
    for threshold in sorted(set(score.tolist()), reverse=True):
        chosen = score >= threshold
        treated, control = chosen & arm, chosen & ~arm
        mean_control = outcome[control].mean() if control.any() else 0.0
        mean_treated = outcome[treated].mean() if treated.any() else 0.0
        share.append(chosen.mean())
        qini.append((outcome[treated].sum() - mean_control * treated.sum()) / arm.sum())
        uplift.append(chosen.mean() * (mean_treated - mean_control))
    return share, qini, uplift


@given(
    st.lists(st.tuples(st.integers(0, 6), st.booleans(), st.integers(0, 3)), min_size=2, max_size=40).filter(
        lambda users: len({arm for _, arm, _ in users}) == 2
    )
)
def test_curves_are_those_of_counting(users: list[tuple[int, bool, int]]) -> None:
    score, arm, outcome = (np.array(column) for column in zip(*users, strict=True))
    found = drawn(targeting_curve(score, arm, outcome))
    share, qini, uplift = by_counting(score.astype(float), arm, outcome.astype(float))
    assert found.share == pytest.approx(share)
    assert found.qini == pytest.approx(qini)
    assert found.uplift == pytest.approx(uplift)
    order = np.random.default_rng(1).permutation(len(score))
    turned = drawn(targeting_curve(np.exp(score[order]), arm[order], outcome[order]))
    assert turned.qini == pytest.approx(found.qini)
    assert turned.auuc == pytest.approx(found.auuc)


def test_a_constant_score_is_random_targeting() -> None:
    _, arm, outcome, _ = experiment(500, 7)
    found = drawn(targeting_curve(np.zeros(500), arm, outcome))
    assert found.qini_area == 0
    assert found.auuc == pytest.approx((outcome[arm].mean() - outcome[~arm].mean()) / 2)


def test_the_gate_lets_the_true_effect_pass_and_nothing_else() -> None:
    rows, arm, outcome, effect = experiment(20_000, 8)
    rng = np.random.default_rng(9)
    noise, response = rng.random(20_000), 2 * rows[:, 1]
    for score, ships in ((effect, True), (noise, False), (response, False), (-effect, False)):
        judged = judge_targeting(score, response, arm, outcome, seed=1, draws=100)
        assert isinstance(judged, TargetingGate)
        assert judged.ships is ships
        assert judged.qini.low <= judged.qini.value <= judged.qini.high
    itself = judge_targeting(effect, effect, arm, outcome, seed=1, draws=50)
    assert isinstance(itself, TargetingGate)
    assert itself.above_response.value == itself.above_response.high == 0
    assert not itself.ships


@settings(max_examples=20)
@given(st.integers(0, 1_000))
def test_the_bootstrap_repeats_with_its_seed(seed: int) -> None:
    _, arm, outcome, effect = experiment(300, 10)
    judged = [judge_targeting(effect, outcome, arm, outcome, seed=seed, draws=20) for _ in range(2)]
    assert judged[0] == judged[1]
