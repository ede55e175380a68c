"""Hill curves with pooled shapes: against curves that are known, and against fitting every campaign alone."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import optimize

from models_ml.optimization import HillCurves, fit_hill_curves
from models_ml.reasons import NotComputable, Reason

Floats = NDArray[np.float64]


def world(seed: int, size: int = 30, days: int = 60, noise: float = 0.3) -> tuple[HillCurves, Floats, Floats]:
    """Campaigns whose shapes are alike and whose sizes are not; spend and revenue by day."""
    rng = np.random.default_rng(seed)
    unit = rng.uniform(20, 400, size)
    half, slope = unit * np.exp(rng.normal(0.5, 0.4, size)), np.exp(rng.normal(0.2, 0.15, size))
    truth = HillCurves(rng.uniform(200, 2_000, size), half, slope)
    spend = unit * np.exp(rng.normal(0, 0.4, (days, size)))
    expected = np.array([truth.revenue(row) for row in spend])
    return truth, spend, expected * rng.gamma(1 / noise**2, noise**2, spend.shape)


def fitted(spend: Floats, revenue: Floats) -> HillCurves:
    found = fit_hill_curves(spend, revenue)
    assert isinstance(found, HillCurves)
    return found


def alone(spend: Floats, revenue: Floats) -> HillCurves:
    """Every campaign by least squares within wide bounds."""
    rows = []
    for s, y in zip(spend.T, revenue.T, strict=True):

        def miss(guess: Floats, s: Floats = s, y: Floats = y) -> Floats:
            return np.asarray(guess[0] * y.mean() / (1 + (guess[1] * s.mean() / s) ** guess[2]) - y)

        top, half, slope = optimize.least_squares(miss, [2, 1, 1], bounds=([0, 0.1, 0.3], [100, 10, 3])).x
        rows.append((top * y.mean(), half * s.mean(), slope))
    return HillCurves(*np.array(rows).T)


def test_perfect_data_give_their_curves_back() -> None:
    truth, spend, _ = world(1, size=4)
    found = fitted(spend, np.array([truth.revenue(row) for row in spend]))
    for name in ("top", "half", "slope"):
        assert getattr(found, name) == pytest.approx(getattr(truth, name), rel=1e-3)


def test_a_campaign_with_steady_spend_takes_the_mean_shape_of_the_others() -> None:
    _, spend, revenue = world(2, size=6)
    spend[:, 4] = 50.0
    revenue[:, 5] = 0.0
    found = fitted(spend, revenue)
    shapes = np.log([found.half / spend.mean(axis=0), found.slope])
    belief = np.zeros((2, 1))
    expected = np.hstack([shapes[:, :4], belief]).mean(axis=1)
    assert shapes[:, 4] == pytest.approx(expected, abs=1e-3)
    assert shapes[:, 5] == pytest.approx(expected, abs=1e-3)
    assert found.revenue(np.full(6, 50.0))[4] == pytest.approx(revenue[:, 4].mean())
    assert found.top[5] == 0
    without = fitted(spend[:, :4], revenue[:, :4])
    assert found.take(np.arange(4)).half == pytest.approx(without.half, rel=1e-9)


def test_one_campaign_alone_leans_on_the_belief_until_it_has_shown_enough() -> None:
    worlds = [world(seed, size=1, days=20, noise=1.0)[1:] for seed in range(10)]
    pooled, free = (np.array([np.log(fit(*each).slope[0]) for each in worlds]) for fit in (fitted, alone))
    assert np.abs(pooled).mean() < 0.5 * np.abs(free).mean()
    truth, spend, revenue = world(3, size=1, days=5_000, noise=0.1)
    assert fitted(spend, revenue).slope == pytest.approx(truth.slope, rel=0.03)


def test_scaling_money_scales_the_curve_only() -> None:
    _, spend, revenue = world(4, size=5)
    one, other = fitted(spend, revenue), fitted(100 * spend, 7 * revenue)
    assert other.slope == pytest.approx(one.slope, rel=1e-4)
    assert other.half == pytest.approx(100 * one.half, rel=1e-4)
    assert other.top == pytest.approx(7 * one.top, rel=1e-4)
    order = np.array([3, 0, 4, 1, 2])
    assert fitted(spend[:, order], revenue[:, order]).half == pytest.approx(one.half[order], rel=1e-6)


def test_idle_days_say_nothing() -> None:
    _, spend, revenue = world(5, size=5)
    idle = np.zeros((20, 5))
    found = fitted(np.vstack([spend, idle]), np.vstack([revenue, idle]))
    assert found.half == pytest.approx(fitted(spend, revenue).half, rel=1e-9)


def test_shapes_that_nobody_shows_are_not_made_up() -> None:
    _, spend, revenue = world(6, size=3)
    found = fit_hill_curves(np.full_like(spend, 50.0), revenue)
    assert isinstance(found, NotComputable)
    assert found.reason == Reason.NO_VARIATION
    none = fit_hill_curves(spend, 0 * revenue)
    assert isinstance(none, NotComputable)
    assert none.reason == Reason.NO_CONVERSIONS


@pytest.mark.slow
def test_pooled_curves_are_nearer_to_the_truth_than_those_fitted_alone() -> None:
    """Where spend has been and beyond, over ten companies; and with ten times the days the common shape is found."""
    errors: dict[str, list[Floats]] = {"pooled": [], "alone": []}
    halves, slopes = [], []
    for seed in range(10):
        truth, spend, revenue = world(seed)
        usual = spend.mean(axis=0)
        pooled = fitted(spend, revenue)
        for name, found in (("pooled", pooled), ("alone", alone(spend, revenue))):
            missed = [
                np.abs(np.log(found.revenue(part * usual) / truth.revenue(part * usual))).mean()
                for part in (0.3, 1.0, 2.0, 4.0)
            ]
            errors[name].append(np.array(missed))
        truth, spend, revenue = world(seed, days=600)
        long = fitted(spend, revenue)
        halves.append(np.log(long.half / truth.half).mean())
        slopes.append(np.log(long.slope / truth.slope).mean())
    mean = {name: np.mean(each, axis=0) for name, each in errors.items()}
    assert (mean["pooled"] < mean["alone"]).all()
    assert mean["pooled"][[0, 2, 3]] == pytest.approx([0.11, 0.06, 0.10], abs=0.02)
    assert (mean["pooled"][[0, 3]] < 0.7 * mean["alone"][[0, 3]]).all()
    assert abs(np.mean(halves)) < 0.06
    assert abs(np.mean(slopes)) < 0.02
