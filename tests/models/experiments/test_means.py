"""Means, ratios, CUPED and strata: against scipy, tea-tasting and regressions, from values and from sums alike."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import tea_tasting as tt
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from models_ml.experiments import (
    Comparison,
    Estimate,
    Moments,
    PairMoments,
    compare_means,
    compare_ratios,
    compare_strata,
    compare_with_cuped,
    log_delta_lift,
    shared_cap,
)
from models_ml.experiments.inference import EveryLook
from models_ml.reasons import NotComputable, Reason

RNG = np.random.default_rng(11)
N = 4_000
BEFORE = RNG.gamma(2.0, 10.0, N)
ARM = RNG.random(N) < 0.4
ORDERS = 1 + RNG.poisson(2.0, N)
REVENUE = BEFORE * RNG.gamma(4.0, 0.25, N) + 2.0 * ARM + 3.0 * ORDERS

values = st.lists(st.floats(-1e4, 1e4).map(lambda x: round(x, 3)), min_size=2, max_size=20)


def compared(found: Comparison | NotComputable) -> Comparison:
    assert isinstance(found, Comparison)
    return found


def estimated(found: Estimate | NotComputable) -> Estimate:
    assert isinstance(found, Estimate)
    return found


def peer(metric: object) -> object:
    frame = pd.DataFrame(
        {"variant": ARM.astype(int), "revenue": REVENUE, "orders": ORDERS.astype(float), "before": BEFORE}
    )
    return tt.Experiment(metric=metric).analyze(frame)["metric"]


def pairs(y: np.ndarray, x: np.ndarray) -> tuple[PairMoments, PairMoments]:
    return PairMoments.from_values(y[ARM], x[ARM]), PairMoments.from_values(y[~ARM], x[~ARM])


def test_means_are_welchs() -> None:
    found = compared(compare_means(Moments.from_values(REVENUE[ARM]), Moments.from_values(REVENUE[~ARM])))
    expected = stats.ttest_ind(REVENUE[ARM], REVENUE[~ARM], equal_var=False)
    interval = expected.confidence_interval(0.95)
    assert (found.difference.statistic, found.difference.p_value) == pytest.approx(
        (expected.statistic, expected.pvalue), rel=1e-9
    )
    assert (found.difference.low, found.difference.high) == pytest.approx((interval.low, interval.high), rel=1e-9)


def test_means_and_log_delta_are_tea_tastings() -> None:
    sides = Moments.from_values(REVENUE[ARM]), Moments.from_values(REVENUE[~ARM])
    expected = peer(tt.Mean("revenue"))
    found = compared(compare_means(*sides)).difference
    assert (found.low, found.high, found.p_value) == pytest.approx(
        (expected.effect_size_ci_lower, expected.effect_size_ci_upper, expected.pvalue), rel=1e-9
    )
    lift, normal = estimated(log_delta_lift(*sides)), peer(tt.Mean("revenue", use_t=False))
    assert (lift.low, lift.high) == pytest.approx(
        (normal.rel_effect_size_ci_lower, normal.rel_effect_size_ci_upper), rel=1e-6
    )


def test_ratios_are_tea_tastings() -> None:
    found = compared(compare_ratios(*pairs(REVENUE, ORDERS.astype(float)))).difference
    expected = peer(tt.RatioOfMeans("revenue", "orders"))
    assert (found.value, found.low, found.high, found.p_value) == pytest.approx(
        (expected.effect_size, expected.effect_size_ci_lower, expected.effect_size_ci_upper, expected.pvalue), rel=1e-9
    )


def test_cuped_is_the_regression_on_arm_and_covariate_and_near_tea_tasting() -> None:
    found = compared(compare_with_cuped(*pairs(REVENUE, BEFORE)))
    design = sm.add_constant(np.column_stack([ARM.astype(float), BEFORE]))
    fitted = sm.OLS(REVENUE, design).fit(cov_type="HC2")
    assert found.difference.value == pytest.approx(fitted.params[1], rel=1e-9)
    width = found.difference.high - found.difference.low
    assert width == pytest.approx(np.diff(fitted.conf_int()[1])[0], rel=0.01)
    expected = peer(tt.Mean("revenue", covariate="before"))
    assert (found.difference.low, found.difference.high) == pytest.approx(
        (expected.effect_size_ci_lower, expected.effect_size_ci_upper), rel=0.01
    )
    plain = compared(compare_means(Moments.from_values(REVENUE[ARM]), Moments.from_values(REVENUE[~ARM])))
    assert width < 0.75 * (plain.difference.high - plain.difference.low)


def test_cuped_without_information_is_the_plain_comparison() -> None:
    constant = np.ones(N)
    cuped = compared(compare_with_cuped(*pairs(REVENUE, constant)))
    assert cuped == compared(compare_means(Moments.from_values(REVENUE[ARM]), Moments.from_values(REVENUE[~ARM])))


def test_strata_weigh_what_they_are_of_all_users() -> None:
    stratum = (BEFORE > 20).astype(int) + (BEFORE > 40)
    cells = [[Moments.from_values(REVENUE[(arm == ARM) & (stratum == k)]) for k in range(3)] for arm in (True, False)]
    found = compared(compare_strata(*cells)).difference
    dummies = np.column_stack([(stratum == k).astype(float) for k in range(3)])
    by_hand = sum(
        dummies[:, k].mean() * (REVENUE[ARM & (stratum == k)].mean() - REVENUE[~ARM & (stratum == k)].mean())
        for k in range(3)
    )
    centered = dummies[:, 1:] - dummies[:, 1:].mean(axis=0)
    design = np.column_stack([np.ones(N), ARM, centered, centered * ARM[:, None]])
    saturated = sm.OLS(REVENUE, design).fit(cov_type="HC2")
    assert found.value == pytest.approx(by_hand, rel=1e-9)
    assert (found.low, found.high) == pytest.approx(tuple(saturated.conf_int()[1]), rel=0.01)


def test_fieller_is_where_the_test_of_a_ratio_turns() -> None:
    """At each limit r the t statistic of mean − r·base is the critical value of Welch's test of r = 1."""
    sides = Moments.from_values(REVENUE[ARM]), Moments.from_values(REVENUE[~ARM])
    found = compared(compare_means(*sides))
    relative = estimated(found.relative)
    error = math.sqrt(sides[0].variance_of_mean + sides[1].variance_of_mean)
    critical = (found.difference.high - found.difference.value) / error
    for limit, sign in ((relative.low + 1, 1), (relative.high + 1, -1)):
        gap = sides[0].mean - limit * sides[1].mean
        spread = math.sqrt(sides[0].variance_of_mean + limit**2 * sides[1].variance_of_mean)
        assert gap / spread == pytest.approx(sign * critical, rel=1e-9)


@given(values, values, st.sampled_from([None, 30]), st.sampled_from([0.8, 0.95, 0.99]))
def test_interval_and_p_value_never_contradict(
    treatment: list[float], control: list[float], planned: int | None, confidence: float
) -> None:
    sides = Moments.from_values(treatment), Moments.from_values(control)
    found = compare_means(*sides, confidence=confidence, planned_users=planned)
    if isinstance(found, NotComputable):
        assert found.reason == Reason.NO_VARIATION
        return
    for each in (found.difference, found.relative):
        if isinstance(each, Estimate) and not math.isclose(each.p_value, 1 - confidence, rel_tol=1e-6):
            assert (each.low > 0 or each.high < 0) == each.is_significant


@given(values, values)
def test_sums_and_parts_say_the_same_as_values(left: list[float], right: list[float]) -> None:
    whole = np.array(left + right)
    expected = Moments.from_values(whole)
    scale = float((whole**2).sum())
    from_sums = Moments.from_sums(len(whole), float(whole.sum()), scale)
    joined = Moments.from_values(left) + Moments.from_values(right)
    for found in (from_sums, joined):
        assert found.users == expected.users
        assert found.mean == pytest.approx(expected.mean, rel=1e-9, abs=1e-9)
        assert found.variance == pytest.approx(expected.variance, rel=1e-6, abs=1e-9 * scale + 1e-12)


def test_pairs_from_sums_and_parts() -> None:
    y, x = REVENUE, BEFORE
    expected = PairMoments.from_values(y, x)
    sums = PairMoments.from_sums(
        N,
        total_y=y.sum(),
        total_x=x.sum(),
        squares_y=(y * y).sum(),
        squares_x=(x * x).sum(),
        products=(x * y).sum(),
    )
    joined = PairMoments.from_values(y[:900], x[:900]) + PairMoments.from_values(y[900:], x[900:])
    for found in (sums, joined):
        for name in ("y", "x"):
            mine, theirs = getattr(found, name), getattr(expected, name)
            assert (mine.users, mine.mean, mine.variance) == pytest.approx(
                (theirs.users, theirs.mean, theirs.variance), rel=1e-9
            )
        assert found.covariance == pytest.approx(expected.covariance, rel=1e-9)
    empty = PairMoments.from_values([], [])
    assert empty + expected == expected + empty == expected


def test_a_cap_cuts_all_arms_alike() -> None:
    cap = shared_cap(REVENUE[ARM], REVENUE[~ARM], quantile=0.95)
    assert cap == pytest.approx(np.quantile(REVENUE, 0.95))
    capped = Moments.from_values(REVENUE[ARM], cap=cap)
    assert capped.mean == pytest.approx(np.minimum(REVENUE[ARM], cap).mean())
    assert capped.variance < Moments.from_values(REVENUE[ARM]).variance


@pytest.mark.parametrize("planned", [None, 100])
def test_what_cannot_be_compared_says_why(planned: int | None) -> None:
    good, empty, one = Moments(50, 3.0, 2.0), Moments(0, 0.0, 0.0), Moments(1, 3.0, 0.0)
    flat = Moments(50, 3.0, 0.0)
    for sides, reason in (
        ((empty, good), Reason.NO_DATA),
        ((good, empty), Reason.NO_CONTROL),
        ((good, one), Reason.TOO_FEW_CUSTOMERS),
        ((flat, flat), Reason.NO_VARIATION),
    ):
        found = compare_means(*sides, planned_users=planned)
        assert isinstance(found, NotComputable)
        assert found.reason == reason
    below_zero = compared(compare_means(good, Moments(50, 0.01, 2.0), planned_users=planned))
    assert isinstance(below_zero.relative, NotComputable)
    assert below_zero.relative.reason == Reason.ZERO_BASELINE
    nothing = PairMoments(good, Moments(50, 0.0, 0.0), 0.0)
    ratio = compare_ratios(nothing, nothing, planned_users=planned)
    assert isinstance(ratio, NotComputable)
    assert ratio.reason == Reason.ZERO_BASELINE


def test_a_ratio_that_is_the_same_for_all_has_no_variation() -> None:
    found = compare_ratios(*pairs(3.3 * ORDERS, ORDERS.astype(float)))
    assert isinstance(found, NotComputable)
    assert found.reason == Reason.NO_VARIATION


@pytest.mark.parametrize("bad", [[1.0, math.nan], [1.0, math.inf], [[1.0]]])
def test_values_must_be_numbers(bad: list[object]) -> None:
    with pytest.raises(ValueError, match="one number per user"):
        Moments.from_values(bad)


def test_mistakes_are_named() -> None:
    good = Moments(50, 3.0, 2.0)
    with pytest.raises(ValueError, match="one positive weight"):
        compare_strata([good], [good], weights=[0.0])
    with pytest.raises(ValueError, match="same strata"):
        compare_strata([good, good], [good])
    with pytest.raises(ValueError, match="planned_users"):
        compare_means(good, good, planned_users=0)
    with pytest.raises(ValueError, match="covariance"):
        PairMoments(good, good, 5.0)
    with pytest.raises(ValueError, match="users and variance"):
        Moments(3, 1.0, -1.0)
    with pytest.raises(ValueError, match="both for every user"):
        PairMoments.from_values([1.0, 2.0], [1.0])


def test_the_confidence_sequence_is_the_mixture_it_claims_to_be() -> None:
    """The p-value is one over the likelihood ratio of N(0, ρ²)-mixed drifts, here integrated numerically."""
    users, planned, z = 700, 1_000, 2.9
    look = EveryLook(users, planned)
    reach = 2 * math.log(20)
    rho = math.sqrt((reach + math.log(reach + 1)) / planned)
    drift = np.linspace(-12 * rho, 12 * rho, 200_001)
    ratio = np.exp(drift * z * math.sqrt(users) - drift**2 * users / 2)
    mixed = np.trapezoid(ratio * stats.norm.pdf(drift, scale=rho), drift)
    assert look.p_value(z) == pytest.approx(1 / mixed, rel=1e-6)
    for confidence in (0.8, 0.95, 0.99):
        assert look.p_value(look.critical(confidence)) == pytest.approx(1 - confidence, rel=1e-9)


def test_the_confidence_sequence_is_tightest_where_planned() -> None:
    widths = {planned: EveryLook(1_000, planned).critical(0.95) for planned in (100, 500, 1_000, 2_000, 10_000)}
    assert min(widths, key=lambda planned: widths[planned]) == 1_000
    assert widths[1_000] > stats.norm.isf(0.025)
