"""Do intervals cover what they say, do tests err as rarely as they say, also under peeking? Simulations with seeds."""

from __future__ import annotations

import numpy as np
import pytest

from models_ml.experiments import (
    AllocationCheck,
    Comparison,
    Conversions,
    Estimate,
    Incrementality,
    Moments,
    PairMoments,
    SampleSize,
    TargetingGate,
    WinProbability,
    check_sample_ratio,
    compare_conversions,
    compare_means,
    compare_ratios,
    compare_variants,
    compare_with_cuped,
    judge_targeting,
    log_delta_lift,
    measure_incrementality,
    size_for_conversions,
    win_probability,
)
from models_ml.experiments.inference import EveryLook, FixedHorizon

pytestmark = pytest.mark.slow


def covers(estimate: Estimate | object, truth: float) -> bool:
    assert isinstance(estimate, Estimate)
    return estimate.low <= truth <= estimate.high


def known(found: Comparison | object) -> Comparison:
    assert isinstance(found, Comparison)
    return found


@pytest.mark.parametrize(
    ("users", "rate", "lift"), [(200, 0.1, 0.5), (2_000, 0.02, 0.2), (20_000, 0.05, 0.1), (500, 0.6, 0.0)]
)
def test_intervals_of_rates_cover(users: int, rate: float, lift: float) -> None:
    rng = np.random.default_rng(1)
    treated, control = rng.binomial(users, rate * (1 + lift), 1_000), rng.binomial(users, rate, 1_000)
    hits = np.zeros(4)
    for t, c in zip(treated.tolist(), control.tolist(), strict=True):
        sides = Conversions(users, t), Conversions(users, c)
        found = known(compare_conversions(*sides))
        always = known(compare_conversions(*sides, planned_users=2 * users))
        hits += [
            covers(found.difference, rate * lift),
            covers(found.relative, lift),
            covers(log_delta_lift(*sides), lift),
            covers(always.difference, rate * lift),
        ]
    # Three standard errors of a coverage of 95 % over 1,000 runs are 2.1 points.
    assert (hits[:3] >= 929).all()
    assert (hits[:3] <= 975).all()
    assert hits[3] >= 950


def test_intervals_of_means_ratios_and_cuped_cover() -> None:
    rng = np.random.default_rng(2)
    runs, users = 1_000, 400
    hits = np.zeros(4)
    for _ in range(runs):
        before = rng.gamma(1.0, 20.0, (2, users))
        orders = 1.0 + rng.poisson(0.5 + before / 20)
        revenue = orders * rng.gamma(2.0, 10.0, (2, users)) + 0.5 * before + np.array([[5.0], [0.0]])
        pairs = [PairMoments.from_values(y, x) for y, x in zip(revenue, before, strict=True)]
        ratio = [PairMoments.from_values(y, x) for y, x in zip(revenue, orders, strict=True)]
        plain = known(compare_means(pairs[0].y, pairs[1].y))
        mean = 2.5 * 20 + 0.5 * 20  # orders by revenue of one, and half of what was before
        hits += [
            covers(plain.difference, 5.0),
            covers(plain.relative, 5.0 / mean),
            covers(known(compare_with_cuped(pairs[0], pairs[1])).difference, 5.0),
            covers(known(compare_ratios(ratio[0], ratio[1])).difference, 5.0 / 2.5),
        ]
    assert (hits / runs > 0.929).all()
    assert (hits / runs < 0.971).all()


def test_peeking_is_harmless_with_a_confidence_sequence_and_only_with_it() -> None:
    """A null effect looked at 100 times: the share of tests that are ever significant."""
    rng = np.random.default_rng(3)
    runs, looks, batch, rate = 2_000, 100, 200, 0.05
    converted = rng.binomial(batch, rate, (2, runs, looks)).cumsum(axis=2)
    users = batch * np.arange(1, looks + 1)
    rates = converted / users
    gap = rates[0] - rates[1]
    smooth = (converted + 0.5) / (users + 1)
    statistic = gap / np.sqrt((smooth * (1 - smooth) / users).sum(axis=0))
    always = np.array([EveryLook(2 * each, 2 * batch * looks).critical(0.95) for each in users.tolist()])
    naive = FixedHorizon(np.inf).critical(0.95)
    ever_always, ever_naive = ((np.abs(statistic) > bar).any(axis=1).mean() for bar in (always, naive))
    assert ever_always < 0.05
    assert ever_naive > 0.25
    assert (np.abs(statistic[:, -1]) > naive).mean() == pytest.approx(0.05, abs=0.015)
    # The statistic above is the library's own: the tenth look of one run, asked for in one line.
    mine = compare_conversions(*(Conversions(2_000, int(converted[arm, 0, 9])) for arm in (0, 1)), planned_users=40_000)
    assert known(mine).difference.statistic == pytest.approx(statistic[0, 9])


def test_sequences_of_skewed_means_stay_honest() -> None:
    rng = np.random.default_rng(4)
    runs, looks, batch = 400, 40, 100
    ever = 0
    for _ in range(runs):
        values = rng.gamma(0.3, 30.0, (2, looks * batch)) * (rng.random((2, looks * batch)) < 0.3)
        ever += any(
            known(
                compare_means(
                    Moments.from_values(values[0, :users]),
                    Moments.from_values(values[1, :users]),
                    planned_users=2 * looks * batch,
                )
            ).difference.is_significant
            for users in range(3 * batch, looks * batch + 1, 2 * batch)
        )
    assert ever / runs < 0.05


def test_planned_sizes_have_the_power_they_promise() -> None:
    rng = np.random.default_rng(5)
    size = size_for_conversions(0.1, 0.15)
    assert isinstance(size, SampleSize)
    treated, control = rng.binomial(size.treatment, 0.115, 1_000), rng.binomial(size.control, 0.1, 1_000)
    found = [
        known(
            compare_conversions(Conversions(size.treatment, t), Conversions(size.control, c))
        ).difference.is_significant
        for t, c in zip(treated.tolist(), control.tolist(), strict=True)
    ]
    assert np.mean(found) == pytest.approx(0.8, abs=0.04)


def test_corrections_bound_false_discoveries() -> None:
    rng = np.random.default_rng(6)
    falsely = {"holm": 0, "none": 0}
    for _ in range(150):
        control = Conversions(3_000, int(rng.binomial(3_000, 0.1)))
        variants = {str(each): Conversions(3_000, int(rng.binomial(3_000, 0.1))) for each in range(8)}
        holm = compare_variants(compare_conversions, variants, control)
        falsely["holm"] += any(known(each).difference.is_significant for each in holm.values())
        alone = [known(compare_conversions(arm, control)) for arm in variants.values()]
        falsely["none"] += any(each.difference.is_significant for each in alone)
    assert falsely["holm"] <= 15  # 5 % of 150, plus three standard errors
    assert falsely["none"] > 30


def test_sample_ratio_alarms_as_rarely_as_it_says() -> None:
    rng = np.random.default_rng(7)
    held = rng.binomial(20_000, 0.1, 3_000)
    alarms = 0
    for each in held.tolist():
        check = check_sample_ratio([20_000 - each, each], [0.9, 0.1])
        assert isinstance(check, AllocationCheck)
        alarms += not check.is_sound
    assert alarms <= 9


def test_win_probabilities_are_calibrated() -> None:
    """Of rates drawn from the prior, those said to win with chance p win in a share p of cases."""
    rng = np.random.default_rng(8)
    rates = rng.beta(20, 180, (1_000, 2))
    counts = rng.binomial(800, rates)
    said = []
    for a, b in counts.tolist():
        found = win_probability(Conversions(800, a), Conversions(800, b), prior=(20.0, 180.0))
        assert isinstance(found, WinProbability)
        said.append(found.treatment)
    won = rates[:, 0] > rates[:, 1]
    bins = np.minimum((np.array(said) * 5).astype(int), 4)
    for each in range(5):
        inside = bins == each
        expected = np.array(said)[inside].mean()
        assert won[inside].mean() == pytest.approx(expected, abs=3.5 * np.sqrt(0.25 / inside.sum()))


def test_incrementality_covers_what_the_campaign_caused() -> None:
    rng = np.random.default_rng(9)
    hits = np.zeros(3)
    for t, c in zip(rng.binomial(9_000, 0.06, 800).tolist(), rng.binomial(1_000, 0.04, 800).tolist(), strict=True):
        found = measure_incrementality(
            Conversions(9_000, t), Conversions(1_000, c), average_order_value=50.0, spend=3_000.0, holdout_share=0.1
        )
        assert isinstance(found, Incrementality)
        hits += [
            covers(found.conversions, 9_000 * 0.02),
            covers(found.share, 1 - 0.04 / 0.06),
            covers(found.net_revenue, 9_000 * 0.02 * 50 - 3_000),
        ]
    assert (hits / 800 > 0.925).all()
    assert (hits / 800 < 0.975).all()


def test_the_gate_seldom_ships_a_model_of_nothing() -> None:
    rng = np.random.default_rng(10)
    shipped = 0
    for _ in range(80):
        arm, outcome = rng.random(1_000) < 0.5, (rng.random(1_000) < 0.1).astype(float)
        judged = judge_targeting(rng.random(1_000), rng.random(1_000), arm, outcome, seed=1, draws=100)
        assert isinstance(judged, TargetingGate)
        shipped += judged.ships
    assert shipped <= 4
