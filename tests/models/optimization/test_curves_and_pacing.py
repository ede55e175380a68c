"""Curves, adstock, fits, pacing, bids and shares: against their definitions, published laws and plain optimizers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import optimize, special, stats

from models_ml.optimization import (
    BidLimit,
    CarryOverCurves,
    FittedCurves,
    HillCurves,
    Pace,
    PowerCurves,
    ResponseCurves,
    SmoothedRates,
    adstock,
    choose_retention,
    context_multipliers,
    fit_hill_curves,
    fit_power_curves,
    pace_budget,
    recommend_bids,
    smooth_rates,
    thompson_shares,
)
from models_ml.reasons import NotComputable, Reason

Floats = NDArray[np.float64]

POWER = PowerCurves(np.array([3.0, 2.0, 0.5]), np.array([0.8, 0.5, 0.95]))
HILL = HillCurves(np.array([500.0, 300.0, 800.0]), np.array([60.0, 20.0, 200.0]), np.array([1.0, 0.7, 1.6]))
CARRIED = CarryOverCurves(POWER, 0.6, np.array([0.0, 10.0, 90.0]), 10)
CARRIED_HILL = CarryOverCurves(HILL, 0.5, np.array([0.0, 10.0, 90.0]), 5)


@pytest.mark.parametrize("curves", [POWER, HILL, CARRIED, CARRIED_HILL])
def test_slopes_are_the_derivatives(curves: ResponseCurves) -> None:
    for spend in (0.7, 35.0, 400.0, 9_000.0):
        at, step = np.full(3, spend), 1e-4 * spend
        rise = (curves.revenue(at + step) - curves.revenue(at - step)) / (2 * step)
        bend = (curves.marginal(at + step) - curves.marginal(at - step)) / (2 * step)
        assert curves.marginal(at) == pytest.approx(rise, rel=1e-5)
        assert curves.curvature(at) == pytest.approx(bend, rel=1e-4)


@pytest.mark.parametrize("curves", [POWER, HILL, CARRIED, CARRIED_HILL])
def test_demand_inverts_the_marginal_revenue(curves: ResponseCurves) -> None:
    for log_price in (-4.0, -1.0, 0.3, 2.0):
        spend, slope = curves.demand(log_price)
        bought = spend > curves.concave_from
        assert np.log(curves.marginal(spend))[bought] == pytest.approx(np.full(bought.sum(), log_price), abs=1e-9)
        assert (curves.marginal(curves.concave_from)[~bought] <= math.exp(log_price)).all()
        change = (curves.demand(log_price + 1e-6)[0] - curves.demand(log_price - 1e-6)[0]) / 2e-6
        assert slope == pytest.approx(change, rel=1e-4, abs=1e-9)


def test_hill_saturates_and_bends_where_it_says() -> None:
    assert HILL.revenue(HILL.half) == pytest.approx(HILL.top / 2)
    assert HILL.revenue(np.full(3, 1e12)) == pytest.approx(HILL.top, rel=1e-5)
    turn = HILL.concave_from[2]
    assert HILL.curvature(np.full(3, turn * 0.99))[2] > 0 > HILL.curvature(np.full(3, turn * 1.01))[2]


def test_adstock_is_the_recursion_with_what_came_before() -> None:
    rng = np.random.default_rng(1)
    spend, before = rng.gamma(1.0, 50.0, (20, 3)), np.array([0.0, 30.0, 200.0])
    expected, last = [], before
    for row in spend:
        last = 0.4 * row + 0.6 * last
        expected.append(last)
    assert adstock(spend, 0.6, before) == pytest.approx(np.array(expected))
    assert adstock(spend, 0.0) == pytest.approx(spend)
    steady = adstock(np.full((200, 1), 7.0), 0.8)
    assert steady[-1] == pytest.approx([7.0])
    halves = np.vstack([first := adstock(spend[:9], 0.6, before), adstock(spend[9:], 0.6, first[-1])])
    assert halves == pytest.approx(np.array(expected))


def test_carry_over_counts_what_was_spent_before_the_period() -> None:
    """The mean daily revenue of ten days is that of playing them through."""
    spend = np.array([20.0, 40.0, 5.0])
    working = adstock(np.tile(spend, (10, 1)), 0.6, CARRIED.carried)
    by_day = np.array([POWER.revenue(row) for row in working])
    assert CARRIED.revenue(spend) == pytest.approx(by_day.mean(axis=0))
    nothing = CarryOverCurves(POWER, 0.0, np.zeros(3), 10)
    assert nothing.revenue(spend) == pytest.approx(POWER.revenue(spend))


def world(days: int, spread: float, noise: float, seed: int, size: int = 6) -> tuple[Floats, Floats, PowerCurves]:
    rng = np.random.default_rng(seed)
    curves = PowerCurves(rng.uniform(2, 8, size), rng.uniform(0.6, 0.95, size))
    spend = rng.uniform(20, 400, size) * np.exp(rng.normal(0, spread, (days, size)))
    expected = np.array([curves.revenue(row) for row in spend])
    return spend, expected * rng.gamma(1 / noise**2, noise**2, expected.shape), curves


def fitted(found: FittedCurves | NotComputable) -> FittedCurves:
    assert isinstance(found, FittedCurves)
    return found


def test_exponents_are_the_posterior_mode() -> None:
    """A general optimizer of the same posterior, with the dispersion of the curve that is likeliest without prior."""
    spend, revenue, _ = world(60, 0.5, 0.3, 2)
    found = fitted(fit_power_curves(spend, revenue))
    for k in range(spend.shape[1]):
        s, y = spend[:, k], revenue[:, k]

        def loss(guess: Floats, dispersion: float, prior: float, s: Floats = s, y: Floats = y) -> float:
            logs = guess[0] + guess[1] * np.log(s)
            return float((np.exp(logs) - y * logs).sum() / dispersion + prior * (guess[1] - 0.8) ** 2 / 0.02)

        start = [math.log(found.curves.scale[k]), found.curves.exponent[k]]
        alone = optimize.minimize(loss, start, args=(y.mean(), 0.0), method="BFGS", options={"gtol": 1e-9}).x
        mean = np.exp(alone[0] + alone[1] * np.log(s))
        center = (mean * np.log(s)).sum() / mean.sum()
        told = (np.log(s) - center) ** 2
        leverage = mean / mean.sum() + mean * told / (mean * told).sum()
        dispersion = (((y - mean) / (1 - leverage)) ** 2 * told).sum() / (mean * told).sum()
        best = optimize.minimize(loss, start, args=(dispersion, 1.0), method="BFGS", options={"gtol": 1e-9}).x
        assert found.curves.exponent[k] == pytest.approx(best[1], abs=1e-4)
        assert found.curves.scale[k] == pytest.approx(math.exp(best[0]), rel=1e-3)


def test_steady_spend_leaves_the_exponent_to_the_prior() -> None:
    spend, revenue, _ = world(60, 0.05, 0.3, 3)
    found = fitted(fit_power_curves(spend, revenue))
    assert not found.is_fitted.any()
    assert (found.curves.exponent == 0.8).all()
    assert (found.exponent_deviation == 0.1).all()
    expected = revenue.sum(axis=0) / (spend**0.8).sum(axis=0)
    assert found.curves.scale == pytest.approx(expected)
    assert not fitted(fit_power_curves(*(each[:5] for each in world(60, 0.6, 0.3, 3)[:2]))).is_fitted.any()


def test_the_more_data_say_the_less_the_prior_does() -> None:
    spend, revenue, truth = world(3_000, 0.8, 0.2, 4)
    found = fitted(fit_power_curves(spend, revenue))
    assert found.curves.exponent == pytest.approx(truth.exponent, abs=0.02)
    noisy = fitted(fit_power_curves(*world(30, 0.2, 3.0, 4)[:2]))
    assert (np.abs(noisy.curves.exponent - 0.8) < 0.12).all()
    assert (noisy.exponent_deviation > found.exponent_deviation).all()


def test_perfect_data_give_their_curve_back() -> None:
    spend, _, truth = world(60, 0.5, 0.3, 5)
    revenue = np.array([truth.revenue(row) for row in spend])
    found = fitted(fit_power_curves(spend, revenue))
    assert found.curves.exponent == pytest.approx(truth.exponent, abs=1e-6)
    assert found.curves.scale == pytest.approx(truth.scale, rel=1e-5)


def test_scaling_money_scales_the_curve_only() -> None:
    spend, revenue, _ = world(60, 0.5, 0.3, 6)
    one, other = fitted(fit_power_curves(spend, revenue)), fitted(fit_power_curves(100 * spend, 7 * revenue))
    assert other.curves.exponent == pytest.approx(one.curves.exponent, abs=1e-6)
    at = np.full(6, 90.0)
    assert other.curves.revenue(100 * at) == pytest.approx(7 * one.curves.revenue(at), rel=1e-6)


def test_idle_days_and_days_without_revenue_count_as_they_are() -> None:
    spend, revenue, _ = world(60, 0.5, 0.3, 7)
    idle = np.zeros((30, 6))
    one = fitted(fit_power_curves(spend, revenue))
    two = fitted(fit_power_curves(np.vstack([spend, idle]), np.vstack([revenue, idle])))
    assert two.curves.exponent == pytest.approx(one.curves.exponent, abs=1e-9)
    half = fitted(fit_power_curves(np.vstack([spend, spend]), np.vstack([revenue, 0 * revenue])))
    at = np.full(6, 90.0)
    assert half.curves.revenue(at) == pytest.approx(one.curves.revenue(at) / 2, rel=0.15)


def test_a_campaign_without_revenue_gets_a_flat_curve() -> None:
    spend, revenue, _ = world(60, 0.5, 0.3, 8)
    revenue[:, 2] = 0
    found = fitted(fit_power_curves(spend, revenue))
    assert found.curves.scale[2] == 0
    assert not found.is_fitted[2]
    assert np.isfinite(found.deviance)


def test_the_retention_is_found() -> None:
    rng = np.random.default_rng(9)
    spend = np.exp(rng.normal(4, 0.8, (200, 5)))
    working = adstock(spend, 0.5, np.full(5, 60.0))
    revenue = 4 * working**0.75 * rng.gamma(25, 1 / 25, working.shape)
    found = fitted(choose_retention(spend, revenue, np.arange(0, 0.9, 0.1), carried=np.full(5, 60.0)))
    assert found.retention == pytest.approx(0.5)
    assert found.curves.exponent == pytest.approx(np.full(5, 0.75), abs=0.07)
    assert found.carried == pytest.approx(working[-1])


def test_hill_curves_are_found_where_they_are_seen() -> None:
    rng = np.random.default_rng(10)
    truth = HillCurves(np.array([500.0, 900.0]), np.array([80.0, 150.0]), np.array([1.0, 1.5]))
    spend = rng.uniform(5, 500, (300, 2))
    revenue = np.array([truth.revenue(row) for row in spend]) * rng.normal(1, 0.05, spend.shape).clip(0)
    found = fit_hill_curves(spend, revenue)
    assert isinstance(found, HillCurves)
    for at in (50.0, 150.0, 400.0):
        assert found.revenue(np.full(2, at)) == pytest.approx(truth.revenue(np.full(2, at)), rel=0.03)


def test_what_cannot_be_fitted_says_why() -> None:
    spend, revenue, _ = world(30, 0.5, 0.3, 11)
    idle = spend.copy()
    idle[:, 1] = 0
    for found, reason in (
        (fit_power_curves(np.zeros((0, 2)), np.zeros((0, 2))), Reason.NO_DATA),
        (fit_power_curves(spend, 0 * revenue), Reason.NO_CONVERSIONS),
        (fit_power_curves(idle, revenue), Reason.NO_VARIATION),
        (fit_hill_curves(*world(60, 0.01, 0.1, 1)[:2]), Reason.NO_VARIATION),
        (choose_retention(spend, 0 * revenue, [0.0, 0.5]), Reason.NO_CONVERSIONS),
    ):
        assert isinstance(found, NotComputable)
        assert found.reason == reason


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_fits_refuse_broken_numbers(bad: float) -> None:
    spend, revenue, _ = world(30, 0.5, 0.3, 11)
    broken = spend.copy()
    broken[3, 2] = bad
    with pytest.raises(ValueError, match="spend has shape"):
        fit_power_curves(broken, revenue)
    with pytest.raises(ValueError, match="revenue has shape"):
        fit_power_curves(spend, np.where(np.arange(30)[:, None] == 3, bad, revenue))
    with pytest.raises(ValueError, match="retention is"):
        fit_power_curves(spend, revenue, retention=1.0)
    with pytest.raises(ValueError, match="carried has shape"):
        adstock(spend, 0.5, [1.0, 2.0])
    with pytest.raises(ValueError, match="candidates is empty"):
        choose_retention(spend, revenue, [])


def test_pacing_to_the_end_of_the_month() -> None:
    weights = np.ones(30)
    on_track = pace_budget(3_000, 1_000, days_gone=10, day_weights=weights)
    assert on_track.pace is Pace.ON_TRACK
    assert on_track.daily_budget == pytest.approx(100)
    assert on_track.projected == pytest.approx(3_000)
    ahead = pace_budget(3_000, 1_500, days_gone=10, day_weights=weights)
    assert (ahead.pace, ahead.daily_budget, ahead.projected) == (Pace.AHEAD, pytest.approx(75), pytest.approx(4_500))
    behind = pace_budget(3_000, 500, days_gone=10, day_weights=weights)
    assert (behind.pace, behind.daily_budget) == (Pace.BEHIND, pytest.approx(125))
    over = pace_budget(3_000, 3_200, days_gone=10, day_weights=weights)
    assert (over.pace, over.remaining, over.daily_budget) == (Pace.EXHAUSTED, pytest.approx(-200), 0.0)
    first = pace_budget(3_000, 0, days_gone=0, day_weights=weights)
    assert first.pace is Pace.ON_TRACK
    assert isinstance(first.projected, NotComputable)


@given(st.floats(1, 1e6), st.lists(st.floats(0.1, 10), min_size=2, max_size=31), st.data())
def test_following_the_daily_budget_spends_the_month_exactly(
    budget: float, weights: list[float], data: st.DataObject
) -> None:
    gone = data.draw(st.integers(0, len(weights) - 1))
    spent = data.draw(st.floats(0, budget * 0.9))
    for day in range(gone, len(weights)):
        spent += pace_budget(budget, spent, days_gone=day, day_weights=weights).daily_budget
    assert spent == pytest.approx(budget)


@pytest.mark.parametrize(
    ("budget", "spent", "gone", "weights"),
    [(0.0, 0.0, 0, [1.0]), (1.0, -1.0, 0, [1.0]), (1.0, 0.0, 1, [1.0]), (1.0, 0.0, 0, [0.0]), (1.0, 0.0, 0, [])],
)
def test_pacing_refuses_what_makes_no_month(budget: float, spent: float, gone: int, weights: list[float]) -> None:
    with pytest.raises(ValueError, match=r"give|pace"):
        pace_budget(budget, spent, days_gone=gone, day_weights=weights)


def smoothed(successes: Floats, trials: Floats) -> SmoothedRates:
    found = smooth_rates(successes, trials)
    assert isinstance(found, SmoothedRates)
    return found


def test_the_prior_maximizes_the_beta_binomial_likelihood() -> None:
    rng = np.random.default_rng(12)
    trials = rng.integers(1, 400, 300)
    won = rng.binomial(trials, rng.beta(3, 97, 300))
    found = smoothed(won, trials)

    def loss(guess: Floats) -> float:
        a, b = np.exp(guess)
        return -float(stats.betabinom.logpmf(won, trials, a, b).sum())

    best = optimize.minimize(loss, np.log([1.0, 30.0]), method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10})
    a, b = np.exp(best.x)
    assert found.mean == pytest.approx(a / (a + b), rel=1e-3)
    assert found.strength == pytest.approx(a + b, rel=1e-2)
    assert found.rate == pytest.approx((won + a) / (trials + a + b), rel=1e-2)


def test_smoothing_lowers_the_error_and_pools_equals() -> None:
    rng = np.random.default_rng(13)
    truth, trials = rng.beta(3, 97, 2_000), rng.integers(5, 200, 2_000)
    won = rng.binomial(trials, truth)
    error = np.abs(smoothed(won, trials).rate - truth).mean()
    assert error < 0.65 * np.abs(won / trials - truth).mean()
    same = smoothed(np.full(50, 10.0), np.full(50, 100.0))
    assert same.rate == pytest.approx(np.full(50, 0.1), rel=1e-3)
    assert same.strength > 1e4
    unseen = smoothed(np.append(won, 0), np.append(trials, 0))
    assert unseen.rate[-1] == pytest.approx(unseen.mean)


@pytest.mark.parametrize(
    ("won", "tried", "reason"),
    [([], [], Reason.NO_DATA), ([0, 0], [5, 9], Reason.NO_CONVERSIONS), ([5], [5], Reason.ONE_CLASS_ONLY)],
)
def test_rates_that_cannot_be_smoothed(won: list[int], tried: list[int], reason: Reason) -> None:
    found = smooth_rates(won, tried)
    assert isinstance(found, NotComputable)
    assert found.reason == reason


def test_bids_are_worth_what_they_bring() -> None:
    rates = SmoothedRates(np.array([20.0, 2.0, 200.0]), np.array([980.0, 98.0, 800.0]), 0.02, 100.0)
    plain = recommend_bids(rates, 50.0, target_roas=4.0)
    assert plain.bid == pytest.approx([0.02 * 12.5, 0.02 * 12.5, 0.2 * 12.5])
    assert (plain.low < plain.bid).all()
    assert (plain.bid < plain.high).all()
    assert plain.high[1] - plain.low[1] > plain.high[0] - plain.low[0]
    assert plain.high[0] == pytest.approx(12.5 * special.betaincinv(20, 980, 0.9))
    limited = recommend_bids(
        rates, 50.0, target_roas=4.0, multiplier=[1.0, 0.1, 1.0], floor=0.1, cap=2.0, current=[0.1, 0.06, 1.9]
    )
    assert limited.bid == pytest.approx([0.13, 0.1, 2.0])
    assert limited.limited_by == (BidLimit.MAX_CHANGE, BidLimit.FLOOR, BidLimit.CAP)
    assert plain.limited_by == (BidLimit.NONE,) * 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target_roas": 0.0}, "target_roas"),
        ({"floor": 2.0, "cap": 1.0}, "floor ≤ cap"),
        ({"value": -1.0}, "A value or multiplier"),
        ({"multiplier": [1.0, np.nan]}, "A value or multiplier"),
        ({"current": [1.0]}, "current has shape"),
    ],
)
def test_bids_refuse_broken_numbers(changes: dict[str, Any], message: str) -> None:
    rates = SmoothedRates(np.array([20.0, 2.0]), np.array([980.0, 98.0]), 0.02, 100.0)
    asked: dict[str, Any] = {"value": 50.0, "target_roas": 4.0} | changes
    with pytest.raises(ValueError, match=message):
        recommend_bids(rates, **asked)


def test_multipliers_are_shrunk_and_capped() -> None:
    trials = np.array([10_000.0, 10_000, 10_000, 10, 10])
    factors = context_multipliers(smoothed(np.array([500.0, 1_500, 100, 5, 0]), trials))
    assert factors.min() >= 0.5
    assert factors.max() <= 2.0
    assert factors[2] == 0.5
    with pytest.raises(ValueError, match="both sides of 1"):
        context_multipliers(smoothed(np.array([500.0, 900.0]), trials[:2]), lowest=1.2)


def test_shares_follow_the_chance_to_be_best() -> None:
    won, tried = np.array([50.0, 62.0, 40.0]), np.array([1_000.0, 1_000, 1_000])
    shares = thompson_shares(won, tried, seed=1, draws=100_000)
    rng = np.random.default_rng(99)
    draws = rng.beta(1 + won, 1 + tried - won, (200_000, 3))
    chances = np.bincount(draws.argmax(axis=1), minlength=3) / 200_000
    assert shares == pytest.approx(0.1 / 3 + 0.9 * chances, abs=0.01)
    assert shares.sum() == pytest.approx(1)
    assert (thompson_shares(won, tried, seed=1) == thompson_shares(won, tried, seed=1)).all()
    assert thompson_shares([0, 10], [1_000, 1_000], seed=1)[0] == pytest.approx(0.05, abs=0.002)
    assert thompson_shares([3], [9], seed=1) == pytest.approx([1.0])
    assert thompson_shares(np.zeros(4), np.zeros(4), seed=1) == pytest.approx(np.full(4, 0.25), abs=0.02)


@pytest.mark.parametrize(("won", "tried"), [([2], [1]), ([], []), ([1], [np.nan]), ([1, 2], [3])])
def test_shares_refuse_broken_counts(won: list[float], tried: list[float]) -> None:
    with pytest.raises(ValueError, match=r"trials|arm"):
        thompson_shares(won, tried, seed=1)
