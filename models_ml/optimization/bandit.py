"""Which creative to show how often while it is still being learned which is best."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from models_ml.optimization.curves import Floats

UNIFORM = 0.1
"""The part that is shared equally, so that no creative stops being learned about (spec 04-models)."""


def thompson_shares(
    successes: ArrayLike,
    trials: ArrayLike,
    *,
    seed: int,
    uniform: float = UNIFORM,
    prior: tuple[float, float] = (1.0, 1.0),
    draws: int = 10_000,
) -> Floats:
    """The share of traffic of each arm: its chance to have the best rate (Thompson 1933), above a uniform floor.

    Chances are counted over ``draws`` from the beta posteriors, so they err by at most ½/√draws (standard error). Shares sum to 1;
    none is below ``uniform`` ÷ arms. Raises ValueError when counts don't fit together.
    """
    won, tried = np.asarray(successes, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    if won.shape != tried.shape or won.ndim != 1 or not len(won):
        raise ValueError(f"successes {won.shape} and trials {tried.shape} must be equally long, with one arm or more.")
    if not (np.isfinite(tried) & (won >= 0) & (won <= tried)).all():
        raise ValueError("An arm has more successes than trials, or a negative or missing count.")
    if not (0 <= uniform <= 1 and min(prior) > 0 and draws > 0):
        raise ValueError(f"uniform is {uniform}, prior {prior}, draws {draws}; give 0..1, and positive numbers.")
    sampled = np.random.default_rng(seed).beta(prior[0] + won, prior[1] + tried - won, (draws, len(won)))
    best = np.bincount(sampled.argmax(axis=1), minlength=len(won)) / draws
    return np.asarray(uniform / len(won) + (1 - uniform) * best)
