"""Bids: what a click is worth, from smoothed rates, within floors and caps."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special

from models_ml.optimization.curves import Floats
from models_ml.reasons import NotComputable, Reason

_STRONGEST = 1e8


@dataclass(frozen=True)
class SmoothedRates:
    """Rates after shrinkage: beta posteriors with ``alpha`` and ``beta`` per unit.

    The prior, Beta(``mean``·``strength``, (1 − mean)·strength), is that of all units; it weighs like ``strength`` trials.
    """

    alpha: Floats
    beta: Floats
    mean: float
    strength: float

    @property
    def rate(self) -> Floats:
        """Posterior means."""
        return self.alpha / (self.alpha + self.beta)

    def quantile(self, probability: float) -> Floats:
        """Posterior quantiles."""
        return np.asarray(special.betaincinv(self.alpha, self.beta, probability))


def smooth_rates(successes: ArrayLike, trials: ArrayLike) -> SmoothedRates | NotComputable:
    """Shrink rates of many units (keywords, hours, placements) towards their common mean, few trials more than many.

    Empirical Bayes with the beta-binomial (Skellam 1948): the prior has the largest marginal likelihood. Its strength
    ends at 10⁸ trials, where units that differ no more than chance are given one rate.
    Reasons: no_data (no trials), no_conversions, one_class_only (only successes).
    Raises ValueError when counts don't fit together.
    """
    won, tried = np.asarray(successes, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    if won.shape != tried.shape or won.ndim != 1 or not (np.isfinite(tried) & (won >= 0) & (won <= tried)).all():
        raise ValueError(
            f"successes {won.shape} and trials {tried.shape} must be equally long, with 0 ≤ successes ≤ trials."
        )
    if not tried.sum():
        return NotComputable(Reason.NO_DATA, "There are no trials.")
    if not won.sum():
        return NotComputable(Reason.NO_CONVERSIONS, f"None of {tried.sum():,.0f} trials succeeded.")
    if won.sum() == tried.sum():
        return NotComputable(Reason.ONE_CLASS_ONLY, f"All of {tried.sum():,.0f} trials succeeded.")
    seen = tried > 0
    pooled = float(won.sum() / tried.sum())

    def loss(guess: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        mean, strength = special.expit(guess[0]), np.exp(guess[1])
        a, b = mean * strength, (1 - mean) * strength
        w, n = won[seen], tried[seen]
        value = special.betaln(w + a, n - w + b) - special.betaln(a, b)
        common = special.digamma(a + b) - special.digamma(n + a + b)
        by_a = (special.digamma(w + a) - special.digamma(a) + common).sum()
        by_b = (special.digamma(n - w + b) - special.digamma(b) + common).sum()
        by_mean = (by_a - by_b) * strength * mean * (1 - mean)
        by_strength = by_a * a + by_b * b
        return -float(value.sum()), -np.array([by_mean, by_strength])

    start = [float(special.logit(pooled)), np.log(50.0)]
    bounds = [(-30.0, 30.0), (np.log(1e-2), np.log(_STRONGEST))]
    best = optimize.minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    mean, strength = float(special.expit(best.x[0])), float(np.exp(best.x[1]))
    return SmoothedRates(mean * strength + won, (1 - mean) * strength + tried - won, mean, strength)


def context_multipliers(rates: SmoothedRates, *, lowest: float = 0.5, highest: float = 2.0) -> Floats:
    """Bid multipliers of contexts (devices, hours, placements): their smoothed rate over the common one, capped."""
    if not 0 < lowest <= 1 <= highest:
        raise ValueError(f"lowest is {lowest}, highest {highest}; the caps lie on both sides of 1.")
    return np.clip(rates.rate / rates.mean, lowest, highest)


class BidLimit(StrEnum):
    """What a bid ran into."""

    NONE = "none"
    FLOOR = "floor"
    CAP = "cap"
    MAX_CHANGE = "max_change"


@dataclass(frozen=True)
class Bids:
    """Bids per unit, with the range ``low``..``high`` that the rates leave open, and what limited them (``limited_by``)."""

    bid: Floats
    low: Floats
    high: Floats
    limited_by: tuple[BidLimit, ...]


def recommend_bids(
    rates: SmoothedRates,
    value: ArrayLike,
    *,
    target_roas: float,
    multiplier: ArrayLike = 1.0,
    floor: float = 0.0,
    cap: float = np.inf,
    current: ArrayLike | None = None,
    max_change: float = 0.3,
    confidence: float = 0.8,
) -> Bids:
    """Bid = p(conversion)·value ÷ target ROAS × multiplier, within floor and cap and ±``max_change`` of the current bid.

    ``value``: revenue of a conversion. ``low`` and ``high`` are the same with the rates' posterior quantiles, within the same
    limits; floor and cap outrank the maximum change. Raises ValueError when a number is out of range.
    """
    worth, factor = (np.asarray(each, dtype=np.float64) for each in (value, multiplier))
    if not (target_roas > 0 and 0 <= floor <= cap and max_change >= 0 and 0 < confidence < 1):
        raise ValueError(
            f"target_roas {target_roas}, floor {floor}, cap {cap}, max_change {max_change}, confidence {confidence}: "
            "target_roas is positive, floor ≤ cap, max_change ≥ 0, confidence within 0..1."
        )
    if not ((np.isfinite(worth) & (worth >= 0)).all() and (np.isfinite(factor) & (factor > 0)).all()):
        raise ValueError("A value or multiplier is negative, infinite or missing; give finite, positive numbers.")
    tail = (1 - confidence) / 2
    per_rate = worth / target_roas * factor
    wanted = [each * per_rate for each in (rates.rate, rates.quantile(tail), rates.quantile(1 - tail))]
    lowest, highest = np.full(len(rates.alpha), floor), np.full(len(rates.alpha), cap)
    if current is not None:
        now = np.asarray(current, dtype=np.float64)
        if now.shape != rates.alpha.shape or not (np.isfinite(now) & (now >= 0)).all():
            raise ValueError(f"current has shape {now.shape} or a negative or missing bid; give one for each unit.")
        lowest, highest = (np.clip(now * (1 + sign * max_change), floor, cap) for sign in (-1, 1))
    bid, low, high = (np.clip(each, lowest, highest) for each in wanted)
    raw = wanted[0]
    reached = [
        (bid > raw) & (lowest == floor),
        (bid < raw) & (highest == cap),
        bid != raw,
    ]
    codes = np.select(reached, [1, 2, 3], 0)
    limits = tuple(BidLimit)
    return Bids(bid, low, high, tuple(limits[code] for code in codes.tolist()))
