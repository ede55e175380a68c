"""Conversion rates: published values, statsmodels, and that interval and p-value are one inference."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import confint_proportions_2indep, proportions_ztest

from models_ml.experiments import (
    Comparison,
    Conversions,
    Estimate,
    compare_conversions,
    log_delta_lift,
    newcombe_difference,
    z_test,
)
from models_ml.experiments.proportions import ratio_limits
from models_ml.reasons import NotComputable, Reason

BETTER, BASE = Conversions(10_000, 620), Conversions(10_000, 550)

arms = st.integers(1, 3_000).flatmap(lambda users: st.builds(Conversions, st.just(users), st.integers(0, users)))
confidences = st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99, 0.999])


def leaves_out_zero(estimate: Estimate) -> bool:
    return estimate.low > 0 or estimate.high < 0


def agrees_with_itself(estimate: Estimate) -> bool:
    """Equality of p-value and error probability is left to rounding."""
    error = 1 - estimate.confidence
    return math.isclose(estimate.p_value, error, rel_tol=1e-6) or (
        leaves_out_zero(estimate) == (estimate.p_value < error) == estimate.is_significant
    )


def test_the_published_example() -> None:
    tested = z_test(BETTER, BASE)
    assert isinstance(tested, Estimate)
    assert tested.statistic == pytest.approx(2.109089, abs=5e-7)
    assert tested.p_value == pytest.approx(0.0349369, abs=5e-8)
    newcombe = newcombe_difference(BETTER, BASE)
    assert (newcombe.low, newcombe.high) == pytest.approx((0.0004929, 0.0135167), abs=5e-8)
    compared = compare_conversions(BETTER, BASE)
    assert isinstance(compared, Comparison)
    assert compared.difference == newcombe
    assert newcombe.p_value == pytest.approx(tested.p_value, rel=0.01)


@given(arms, arms)
def test_z_test_and_newcombe_are_those_of_statsmodels(treatment: Conversions, control: Conversions) -> None:
    counts = (treatment.conversions, treatment.users, control.conversions, control.users)
    newcombe = newcombe_difference(treatment, control)
    expected = confint_proportions_2indep(*counts, method="newcomb", compare="diff")
    assert (newcombe.low, newcombe.high) == pytest.approx(expected, abs=1e-12)
    tested = z_test(treatment, control)
    if isinstance(tested, Estimate):
        statistic, p_value = proportions_ztest(counts[::2], counts[1::2])
        assert (tested.statistic, tested.p_value) == pytest.approx((statistic, p_value), rel=1e-9, abs=1e-12)


@given(arms, arms, confidences)
def test_interval_and_p_value_never_contradict(treatment: Conversions, control: Conversions, confidence: float) -> None:
    for planned in (None, 2_000):
        compared = compare_conversions(treatment, control, confidence=confidence, planned_users=planned)
        if isinstance(compared, Comparison):
            assert agrees_with_itself(compared.difference)
            assert compared.difference.low <= compared.difference.value <= compared.difference.high
            if isinstance(compared.relative, Estimate):
                assert compared.relative.p_value == compared.difference.p_value
                assert agrees_with_itself(compared.relative)
                assert compared.relative.low <= compared.relative.value + 1e-12
                assert compared.relative.value <= compared.relative.high + 1e-12
    for estimate in (
        z_test(treatment, control, confidence=confidence),
        log_delta_lift(treatment, control, confidence=confidence),
    ):
        if isinstance(estimate, Estimate):
            assert agrees_with_itself(estimate)


@given(arms, arms)
def test_swapping_the_arms_turns_the_sign(treatment: Conversions, control: Conversions) -> None:
    one, other = newcombe_difference(treatment, control), newcombe_difference(control, treatment)
    assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low), abs=1e-12)
    assert one.p_value == pytest.approx(other.p_value, rel=1e-6, abs=1e-12)


def test_log_delta_is_that_of_statsmodels() -> None:
    lift = log_delta_lift(BETTER, BASE)
    assert isinstance(lift, Estimate)
    low, high = confint_proportions_2indep(620, 10_000, 550, 10_000, method="log", compare="ratio")
    assert (lift.low + 1, lift.high + 1) == pytest.approx((low, high), rel=1e-12)
    compared = compare_conversions(BETTER, BASE)
    assert isinstance(compared, Comparison)
    assert isinstance(compared.relative, Estimate)
    assert (compared.relative.low, compared.relative.high) == pytest.approx((lift.low, lift.high), abs=0.002)


def test_the_ratio_solves_its_equation() -> None:
    """Donner and Zou: at each limit r, Newcombe's interval of p₁ − r·p₂ ends at zero."""
    low, high = ratio_limits(BETTER, BASE, 0.95)
    from statsmodels.stats.proportion import proportion_confint

    l1, u1 = proportion_confint(620, 10_000, method="wilson")
    l2, u2 = proportion_confint(550, 10_000, method="wilson")
    p1, p2 = 0.062, 0.055
    assert p1 - low * p2 - math.hypot(p1 - l1, low * (u2 - p2)) == pytest.approx(0, abs=1e-12)
    assert p1 - high * p2 + math.hypot(u1 - p1, high * (p2 - l2)) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("treatment", "control", "reason"),
    [
        ((0, 0), (100, 20), Reason.NO_DATA),
        ((100, 20), (0, 0), Reason.NO_CONTROL),
        ((100, 0), (100, 0), Reason.NO_CONVERSIONS),
        ((100, 100), (50, 50), Reason.NO_VARIATION),
        ((100, 5), (100, 4), Reason.TOO_FEW_CONVERSIONS),
    ],
)
def test_what_cannot_be_compared_says_why(treatment: tuple[int, int], control: tuple[int, int], reason: Reason) -> None:
    sides = Conversions(*treatment), Conversions(*control)
    for found in (compare_conversions(*sides), compare_conversions(*sides, planned_users=10), z_test(*sides)):
        assert isinstance(found, NotComputable)
        assert found.reason == reason


def test_a_control_that_never_converts_has_a_difference_but_no_lift() -> None:
    compared = compare_conversions(Conversions(1_000, 30), Conversions(1_000, 0))
    assert isinstance(compared, Comparison)
    assert compared.difference.low > 0
    assert isinstance(compared.relative, NotComputable)
    assert compared.relative.reason == Reason.ZERO_BASELINE


def test_a_null_out_of_reach_is_rejected_for_sure() -> None:
    found = newcombe_difference(BETTER, BASE, null=2.0)
    assert (found.p_value, found.statistic) == (0.0, -math.inf)


@pytest.mark.parametrize(("users", "conversions"), [(10, 11), (10, -1), (-1, 0)])
def test_counts_must_fit_together(users: int, conversions: int) -> None:
    with pytest.raises(ValueError, match="conversions is"):
        Conversions(users, conversions)


def test_nobody_has_no_rate() -> None:
    with pytest.raises(ValueError, match="without users"):
        newcombe_difference(Conversions(0, 0), BASE)


@pytest.mark.parametrize("confidence", [0.0, 1.0, math.nan])
def test_confidence_is_a_probability(confidence: float) -> None:
    with pytest.raises(ValueError, match="confidence is"):
        compare_conversions(BETTER, BASE, confidence=confidence)
    with pytest.raises(ValueError, match="confidence is"):
        compare_conversions(BETTER, BASE, confidence=confidence, planned_users=10)
