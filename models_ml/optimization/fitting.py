"""Power curves from daily spend and revenue: each campaign's own evidence, pooled with what is known of all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models_ml.optimization.curves import Floats, PowerCurves, adstock
from models_ml.reasons import NotComputable, Reason

PRIOR_EXPONENT = 0.8
PRIOR_DEVIATION = 0.1
LEAST_VARIATION = 0.15
"""Coefficient of variation of the spend from which a campaign's data may speak about its exponent (spec 04-models)."""

LEAST_DAYS = 7
_LEAST_EXPONENT, _MOST_EXPONENT = 0.05, 0.98
_ANY_EXPONENT = (-3.0, 5.0)
_STEPS = 100


@dataclass(frozen=True)
class FittedCurves:
    """Power curves with what they rest on, one entry per campaign.

    ``exponent_deviation``: posterior standard deviation of the exponent. ``is_fitted``: whether the exponent is the
    data's and the prior's; else it is the prior's alone, because spend hardly varied. ``retention`` of the adstock, and what was
    ``carried`` out of the last day (feed both to :class:`CarryOverCurves`). ``deviance``: quasi-Poisson, to compare retentions.
    """

    curves: PowerCurves
    exponent_deviation: Floats
    is_fitted: NDArray[np.bool_]
    retention: float
    carried: Floats
    deviance: float


def fit_power_curves(
    spend: ArrayLike, revenue: ArrayLike, *, retention: float = 0.0, carried: ArrayLike = 0.0
) -> FittedCurves | NotComputable:
    """Fit revenue = a·spend^b per campaign; ``spend`` and ``revenue`` are days × campaigns, 0 on idle days.

    Quasi-Poisson likelihood with log link (so that days without revenue count as they are; Santos Silva and Tenreyro
    2006), precision per campaign from its residuals, prior N(0.8, 0.1²) on b truncated to 0.05..0.98, posterior mode by Newton steps. b stays
    0.8 for a campaign whose spend varied less than 15 % (standard deviation ÷ mean over its days with spend) or ran fewer
    than seven days; then only a is fitted. With a ``retention`` spend is :func:`adstock`, ``carried`` from before the first day.

    A campaign without revenue gets a = 0; revenue of a day on which no spend worked is not counted. Revenue must be what spend causes (incremental, else attributed). Reasons: no_data,
    no_conversions (no revenue at all), no_variation (no spend). Raises ValueError when a number is negative or missing.
    """
    working, earned = adstock(spend, retention, carried), np.asarray(revenue, dtype=np.float64)
    if working.shape != earned.shape or not (np.isfinite(earned) & (earned >= 0)).all():
        raise ValueError(
            f"revenue has shape {earned.shape} for spend {working.shape}, or a negative or missing number; give days × campaigns."
        )
    if not working.size:
        return NotComputable(Reason.NO_DATA, "There are no days or no campaigns.")
    if not earned.sum():
        return NotComputable(Reason.NO_CONVERSIONS, f"No campaign brought revenue in {len(earned)} days.")
    active = working > 0
    idle = ~active.any(axis=0)
    if idle.any():
        details = f"{int(idle.sum())} campaigns never spent, first {int(np.argmax(idle))}; leave them out."
        return NotComputable(Reason.NO_VARIATION, details)
    days = active.sum(axis=0)
    mean = working.sum(axis=0) / days
    spread = np.sqrt((np.where(active, working - mean, 0.0) ** 2).sum(axis=0) / days)
    is_fitted = (spread >= LEAST_VARIATION * mean) & (days >= LEAST_DAYS) & (earned.sum(axis=0) > 0)
    # Centered logarithms of spend keep scale and exponent from trading off in the Newton steps.
    logs = np.log(np.where(active, working, mean) / mean)
    earned = np.where(active, earned, 0.0)
    exponent, deviation = np.full(len(mean), PRIOR_EXPONENT), np.full(len(mean), PRIOR_DEVIATION)
    if is_fitted.any():
        found = _posterior(logs[:, is_fitted], earned[:, is_fitted], active[:, is_fitted])
        exponent[is_fitted], deviation[is_fitted] = found
    level = earned.sum(axis=0) / (np.exp(exponent * logs) * active).sum(axis=0)
    expected = level * np.exp(exponent * logs)
    with np.errstate(divide="ignore", invalid="ignore"):
        surprise = np.where(earned > 0, earned * np.log(earned / expected), 0.0) - earned + expected
    curves = PowerCurves(level / mean**exponent, exponent)
    deviance = 2 * float(np.where(active, surprise, 0.0).sum())
    return FittedCurves(curves, deviation, is_fitted, retention, working[-1], deviance)


def _posterior(logs: Floats, earned: Floats, active: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Mode and deviation of the exponents.

    The dispersion is the one that makes the precision that of the sandwich estimator (HC3: MacKinnon and White 1985) where the
    likelihood alone is largest: residuals weigh by how much they say about the slope, so that the deviation holds
    whatever way the noise grows with spend.
    """
    total = earned.sum(axis=0)
    unpooled, _ = _mode(logs, earned, active, np.ones(logs.shape[1]), pull=0.0, within=_ANY_EXPONENT)
    weight, squares, spread = _shape(logs, active, unpooled)
    with np.errstate(divide="ignore", invalid="ignore"):
        leverage = np.where(spread > 0, weight * (1 + squares / spread), 0.0)
        surprise = np.where(active, (earned - total * weight) / np.maximum(1 - leverage, 1e-6), 0.0) ** 2
        dispersion = np.where(spread > 0, (surprise * squares).sum(axis=0) / (total * spread), total)
    # Not below a trace of the mean: perfect data would make the prior vanish by a division by zero.
    dispersion = np.maximum(dispersion, 1e-12 * total)
    return _mode(logs, earned, active, dispersion, pull=PRIOR_DEVIATION**-2, within=(_LEAST_EXPONENT, _MOST_EXPONENT))


def _mode(
    logs: Floats,
    earned: Floats,
    active: NDArray[np.bool_],
    dispersion: Floats,
    *,
    pull: float,
    within: tuple[float, float],
) -> tuple[Floats, Floats]:
    """The exponents of largest posterior density and their deviations, by Newton steps; the density is log-concave.

    ``pull``: the prior's precision. The level is profiled out: at its best, expected revenue sums to the earned.
    """
    total, exponent = earned.sum(axis=0), np.full(logs.shape[1], PRIOR_EXPONENT)
    observed = (earned * logs).sum(axis=0)
    for _ in range(_STEPS):
        weight, _, spread = _shape(logs, active, exponent)
        gradient = (observed - total * (weight * logs).sum(axis=0)) / dispersion - pull * (exponent - PRIOR_EXPONENT)
        precision = total * spread / dispersion + pull
        step = np.divide(gradient, precision, out=np.zeros_like(gradient), where=precision > 0)
        moved = np.clip(exponent + np.clip(step, -0.3, 0.3), *within)
        still = np.abs(moved - exponent).max() < 1e-12
        exponent = moved
        if still:
            break
    with np.errstate(divide="ignore"):
        return exponent, 1 / np.sqrt(precision)


def _shape(logs: Floats, active: NDArray[np.bool_], exponent: Floats) -> tuple[Floats, Floats, Floats]:
    """Each day's share of the expected revenue, its squared distance from their mean log spend, and the mean of those."""
    weight = np.exp(exponent * logs) * active
    weight /= weight.sum(axis=0)
    squares = (logs - (weight * logs).sum(axis=0)) ** 2
    return weight, squares, (weight * squares).sum(axis=0)


def choose_retention(
    spend: ArrayLike, revenue: ArrayLike, candidates: ArrayLike, *, carried: ArrayLike = 0.0
) -> FittedCurves | NotComputable:
    """The fit of the retention, one for all campaigns, that explains the revenue best (smallest deviance).

    Arguments and reasons as for :func:`fit_power_curves`; ``candidates`` such as 0, 0.1, …, 0.8.
    """
    retentions = np.asarray(candidates, dtype=np.float64).tolist()
    if not retentions:
        raise ValueError("candidates is empty; give at least one retention, such as 0.")
    fits = [fit_power_curves(spend, revenue, retention=each, carried=carried) for each in retentions]
    known = [fit for fit in fits if isinstance(fit, FittedCurves)]
    return min(known, key=lambda fit: fit.deviance) if known else fits[0]
