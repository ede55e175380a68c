"""Many variants, winners, exact chances of winning, and what a campaign caused."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special
from statsmodels.stats.multitest import multipletests

from models_ml.experiments import (
    AllocationCheck,
    Comparison,
    Conversions,
    Estimate,
    Incrementality,
    Moments,
    Winner,
    WinProbability,
    check_sample_ratio,
    compare_conversions,
    compare_means,
    compare_variants,
    measure_incremental_revenue,
    measure_incrementality,
    pick_winner,
    win_probability,
)
from models_ml.reasons import NotComputable, Reason

CONTROL = Conversions(5_000, 400)
VARIANTS = {
    "a": Conversions(5_000, 480),
    "b": Conversions(5_000, 455),
    "c": Conversions(5_000, 405),
    "d": Conversions(5_000, 452),
}


@pytest.mark.parametrize("planned", [None, 25_000])
@pytest.mark.parametrize("correction", ["holm", "benjamini_hochberg"])
def test_variants_are_adjusted_for_their_number(correction: str, planned: int | None) -> None:
    found = compare_variants(compare_conversions, VARIANTS, CONTROL, correction=correction, planned_users=planned)
    alone = [compare_conversions(arm, CONTROL, planned_users=planned) for arm in VARIANTS.values()]
    p_values = [each.difference.p_value for each in alone if isinstance(each, Comparison)]
    expected = multipletests(p_values, method={"holm": "holm"}.get(correction, "fdr_bh"))[1]
    adjusted = [each.difference.p_value for each in found.values() if isinstance(each, Comparison)]
    assert adjusted == pytest.approx(expected.tolist(), rel=1e-9)
    for mine, plain in zip(found.values(), alone, strict=True):
        assert isinstance(mine, Comparison)
        assert isinstance(plain, Comparison)
        assert mine.difference.confidence == 0.95
        assert mine.difference.low <= plain.difference.low
        assert mine.difference.high >= plain.difference.high


@settings(max_examples=50)
@given(
    st.lists(st.integers(0, 400), min_size=1, max_size=6),
    st.sampled_from(["holm", "benjamini_hochberg"]),
    st.sampled_from([0.8, 0.95]),
)
def test_adjusted_intervals_and_p_values_never_contradict(
    conversions: list[int], correction: str, confidence: float
) -> None:
    variants = {str(number): Conversions(2_000, each) for number, each in enumerate(conversions)}
    control = Conversions(2_000, 150)
    for each in compare_variants(
        compare_conversions, variants, control, correction=correction, confidence=confidence
    ).values():
        assert isinstance(each, Comparison)
        difference = each.difference
        if not math.isclose(difference.p_value, 1 - confidence, rel_tol=1e-6):
            assert (difference.low > 0 or difference.high < 0) == difference.is_significant
            if isinstance(each.relative, Estimate):
                assert (each.relative.low > 0 or each.relative.high < 0) == difference.is_significant


def test_variants_without_a_result_do_not_count() -> None:
    found = compare_variants(compare_conversions, {"a": VARIANTS["a"], "empty": Conversions(0, 0)}, CONTROL)
    alone = compare_conversions(VARIANTS["a"], CONTROL)
    assert isinstance(found["empty"], NotComputable)
    assert isinstance(found["a"], Comparison)
    assert isinstance(alone, Comparison)
    assert found["a"].difference.p_value == alone.difference.p_value
    with pytest.raises(ValueError, match="correction is"):
        compare_variants(compare_conversions, VARIANTS, CONTROL, correction="none")  # type: ignore[arg-type]


def test_both_guards_stand_before_a_winner() -> None:
    sound, broken = check_sample_ratio([5_000] * 5), check_sample_ratio([5_000, 6_000])
    assert isinstance(sound, AllocationCheck)
    fixed = compare_variants(compare_conversions, VARIANTS, CONTROL)
    always = compare_variants(compare_conversions, VARIANTS, CONTROL, planned_users=25_000)
    won = pick_winner(fixed, sound, horizon_reached=True)
    assert isinstance(won, Winner)
    assert won.variant == "a"
    for comparisons, allocation, reached, reason in (
        (fixed, broken, True, Reason.SAMPLE_RATIO_MISMATCH),
        (fixed, sound, False, Reason.TOO_FEW_CUSTOMERS),
        ({"c": fixed["c"]}, sound, True, Reason.NO_VARIATION),
        ({}, sound, True, Reason.NO_DATA),
    ):
        found = pick_winner(comparisons, allocation, horizon_reached=reached)
        assert isinstance(found, NotComputable)
        assert found.reason == reason
    assert not isinstance(fixed["a"], NotComputable)
    early = pick_winner(always, sound, horizon_reached=False)
    assert not isinstance(early, NotComputable) or early.reason == Reason.NO_VARIATION


def test_the_control_wins_when_all_are_worse() -> None:
    worse = compare_variants(compare_conversions, {"x": Conversions(5_000, 300)}, CONTROL)
    sound = check_sample_ratio([5_000, 5_000])
    assert pick_winner(worse, sound, horizon_reached=True) == Winner(
        "control", "Every variant is worse than the control."
    )


def exact_win_probability(a: Conversions, b: Conversions) -> float:
    """P(A > B) with uniform priors by the finite sum over A's successes (Miller 2015)."""
    a1, a2 = a.conversions + 1, a.users - a.conversions + 1
    b1, b2 = b.conversions + 1, b.users - b.conversions + 1
    i = np.arange(a1)
    logs = special.betaln(b1 + i, a2 + b2) - np.log(a2 + i) - special.betaln(1 + i, a2) - special.betaln(b1, b2)
    return float(np.exp(logs).sum())


small = st.integers(1, 300).flatmap(lambda users: st.builds(Conversions, st.just(users), st.integers(0, users)))


@given(small, small)
def test_win_probability_is_the_exact_sum(a: Conversions, b: Conversions) -> None:
    found = win_probability(a, b)
    assert isinstance(found, WinProbability)
    assert found.treatment == pytest.approx(exact_win_probability(a, b), abs=1e-10)
    assert found.control == pytest.approx(exact_win_probability(b, a), abs=1e-10)
    assert found.treatment + found.control == pytest.approx(1, abs=1e-12)
    gap = (a.conversions + 1) / (a.users + 2) - (b.conversions + 1) / (b.users + 2)
    assert found.loss_of_control - found.loss_of_treatment == pytest.approx(gap, abs=1e-11)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (Conversions(1_000_000, 50_500), Conversions(1_000_000, 50_000)),
        (Conversions(20, 3), Conversions(2_000_000, 200_000)),
        (Conversions(3_000, 0), Conversions(3_000, 2_900)),
    ],
)
def test_win_probability_of_large_and_unequal_arms(a: Conversions, b: Conversions) -> None:
    found = win_probability(a, b)
    assert isinstance(found, WinProbability)
    assert found.treatment == pytest.approx(exact_win_probability(a, b), abs=1e-8, rel=1e-6)


def test_expected_losses_are_those_of_draws() -> None:
    a, b = Conversions(400, 44), Conversions(380, 36)
    found = win_probability(a, b)
    assert isinstance(found, WinProbability)
    rng = np.random.default_rng(3)
    gap = rng.beta(45, 357, 400_000) - rng.beta(37, 345, 400_000)
    assert found.loss_of_treatment == pytest.approx(np.maximum(-gap, 0).mean(), rel=0.02)
    assert found.loss_of_control == pytest.approx(np.maximum(gap, 0).mean(), rel=0.02)
    nobody = win_probability(Conversions(0, 0), b)
    assert isinstance(nobody, NotComputable)
    assert nobody.reason == Reason.NO_DATA
    with pytest.raises(ValueError, match="prior is"):
        win_probability(a, b, prior=(0.0, 1.0))


TREATED, HELD_OUT = Conversions(349_650, 1_226), Conversions(34_580, 58)


def measured(**changes: object) -> Incrementality:
    found = measure_incrementality(TREATED, HELD_OUT, **{"average_order_value": 40.0, "spend": 14_500.0} | changes)
    assert isinstance(found, Incrementality)
    return found


def test_the_worked_example_of_the_metric_dictionary() -> None:
    found = measured()
    # The printed figures were rounded on the way: 1,226 − 58·349,650/34,580 is 639.5425, and 52.165 % of 1,226.
    assert found.expected == pytest.approx(586.45, abs=0.01)
    assert found.conversions.value == pytest.approx(639.55, abs=0.01)
    assert isinstance(found.share, Estimate)
    assert 100 * found.share.value == pytest.approx(52.17, abs=0.01)
    assert found.share.low < found.share.value < found.share.high < 1
    assert found.net_revenue.value == pytest.approx(639.5425 * 40 - 14_500, abs=0.01)


@given(st.integers(0, 900), st.integers(0, 120), st.floats(0, 60_000))
def test_all_units_tell_one_story(treated: int, held_out: int, spend: float) -> None:
    found = measure_incrementality(
        Conversions(9_000, treated), Conversions(1_000, held_out), average_order_value=40.0, spend=spend
    )
    if isinstance(found, NotComputable):
        return
    difference, net = found.rates.difference, found.net_revenue
    assert found.conversions.low == pytest.approx(9_000 * difference.low)
    assert (found.conversions.low > 0) == (difference.low > 0)
    if isinstance(found.share, Estimate) and not math.isclose(difference.p_value, 0.05, rel_tol=1e-6):
        assert (found.share.low > 0 or found.share.high < 0) == difference.is_significant
    if not math.isclose(net.p_value, 0.05, rel_tol=1e-6):
        assert (net.low > 0 or net.high < 0) == net.is_significant


def test_what_a_holdout_cannot_say() -> None:
    for treated, held_out, share, reason in (
        (TREATED, Conversions(0, 0), None, Reason.NO_HOLDOUT),
        (Conversions(0, 0), HELD_OUT, None, Reason.NO_DATA),
        (TREATED, HELD_OUT, 0.1, Reason.SAMPLE_RATIO_MISMATCH),
        (Conversions(900, 5), Conversions(100, 2), 0.1, Reason.TOO_FEW_CONVERSIONS),
        (Conversions(900, 0), Conversions(100, 0), 0.1, Reason.NO_CONVERSIONS),
    ):
        found = measure_incrementality(treated, held_out, average_order_value=40.0, spend=0.0, holdout_share=share)
        assert isinstance(found, NotComputable)
        assert found.reason == reason
    only_held_out = measure_incrementality(
        Conversions(900, 0), Conversions(900, 20), average_order_value=40.0, spend=0.0
    )
    assert isinstance(only_held_out, Incrementality)
    assert isinstance(only_held_out.share, NotComputable)
    for mistake in ({"average_order_value": 0.0}, {"spend": -1.0}, {"spend": math.nan}):
        with pytest.raises(ValueError, match="average_order_value is"):
            measured(**mistake)


def test_incremental_revenue_is_welchs_difference_less_spend() -> None:
    treated, held_out = Moments(9_000, 4.0, 90.0), Moments(1_000, 3.0, 80.0)
    compared = compare_means(treated, held_out)
    assert isinstance(compared, Comparison)
    gross, net = (measure_incremental_revenue(treated, held_out, spend=spend) for spend in (0.0, 5_000.0))
    assert isinstance(gross, Estimate)
    assert isinstance(net, Estimate)
    assert gross.value == pytest.approx(9_000 * compared.difference.value)
    assert (net.low, net.high) == pytest.approx((gross.low - 5_000, gross.high - 5_000))
    assert gross.p_value == pytest.approx(compared.difference.p_value)
    assert net.p_value > gross.p_value
    nobody = measure_incremental_revenue(treated, Moments(0, 0.0, 0.0))
    assert isinstance(nobody, NotComputable)
    assert nobody.reason == Reason.NO_HOLDOUT


def test_the_wider_the_confidence_the_wider_the_interval() -> None:
    widths = [measured(confidence=each).net_revenue for each in (0.5, 0.8, 0.95, 0.99)]
    assert all(left.low > right.low and left.high < right.high for left, right in pairwise(widths))
