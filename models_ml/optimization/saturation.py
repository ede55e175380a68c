"""Hill curves from daily spend and revenue: the shapes of campaigns learn from each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize
from scipy.special import expit

from models_ml.optimization.curves import Floats, HillCurves
from models_ml.optimization.fitting import fit_power_curves
from models_ml.reasons import NotComputable, Reason

_SHAPE = np.zeros(2)
_SHAPE_DEVIATION = np.array([1.0, 0.5])
"""What is thought of a campaign's log half (in units of its mean spend) and log slope before any is seen: half at the mean spend, slope 1."""

_ROUNDS = 100


def fit_hill_curves(spend: ArrayLike, revenue: ArrayLike) -> HillCurves | NotComputable:
    """Fit revenue = top·s^k ÷ (half^k + s^k) per campaign, partially pooled; days × campaigns, 0 on idle days.

    Least squares (scipy), the variance of revenue proportional to what the power curve expects, with a normal prior on the
    logarithms of k and of half as a multiple of the campaign's mean spend. The prior's means and deviations are those of
    the campaigns themselves (empirical Bayes by EM, posteriors by Laplace's approximation: Dempster, Laird and Rubin 1977),
    to which a weak belief counts as one campaign more: k = 1 and half at the mean spend, give or take factors of e^½ and
    e. So a campaign that shows little takes the shape of the others; tops are each campaign's own, for sizes differ.
    One whose spend varied less than 15 %, that ran fewer than seven days or has no revenue takes their mean shape.

    Reasons: those of :func:`fit_power_curves`, no_variation when no campaign shows its shape (use power curves),
    not_converged. Raises ValueError when a number is negative or missing.
    """
    fitted = fit_power_curves(spend, revenue)
    if isinstance(fitted, NotComputable):
        return fitted
    if not fitted.is_fitted.any():
        return NotComputable(Reason.NO_VARIATION, "Spend or revenue of no campaign varied enough; use power curves.")
    working, earned = np.asarray(spend, dtype=np.float64), np.asarray(revenue, dtype=np.float64)
    campaigns = [_Campaign.of(*each) for each in zip(working.T, earned.T, fitted.curves.exponent, strict=True)]
    told = [each for each, is_fitted in zip(campaigns, fitted.is_fitted, strict=True) if is_fitted]
    mean, deviation = _SHAPE, _SHAPE_DEVIATION
    fits = [_Fit(np.array([np.log(2.0), *mean]), np.zeros(2), float(each.revenue.var())) for each in told]
    for _ in range(_ROUNDS):
        found = [each.fit(fit, mean, deviation) for each, fit in zip(told, fits, strict=True)]
        fits = [fit for fit in found if fit is not None]
        if len(fits) < len(told):
            return NotComputable(Reason.NOT_CONVERGED, f"{len(told) - len(fits)} Hill curves of {len(told)}.")
        before = mean, deviation
        mean, deviation = _pooled(np.array([fit.guess[1:] for fit in fits]), np.array([fit.variance for fit in fits]))
        if np.abs(np.subtract(before, (mean, deviation))).max() < 1e-4:
            break
    shapes = np.tile(mean, (len(campaigns), 1))
    shapes[fitted.is_fitted] = [fit.guess[1:] for fit in fits]
    tops = [each.top(shape) for each, shape in zip(campaigns, shapes, strict=True)]
    half = np.exp(shapes[:, 0]) * [each.unit for each in campaigns]
    return HillCurves(np.array(tops), half, np.exp(shapes[:, 1]))


@dataclass(frozen=True)
class _Fit:
    """The mode of log top, log half and log slope, the variance of the last two, and that of the noise."""

    guess: Floats
    variance: Floats
    noise: float


@dataclass(frozen=True)
class _Campaign:
    """Log spend and revenue on days with spend, in units of their means, ``unit`` and ``height``.

    ``deviation``: that of each day's revenue, in proportion to the others'.
    """

    spend: Floats
    revenue: Floats
    deviation: Floats
    unit: float
    height: float

    @classmethod
    def of(cls, spend: Floats, revenue: Floats, exponent: float) -> _Campaign:
        active = spend > 0
        unit, height = float(spend[active].mean()), float(revenue[active].mean()) or 1.0
        logs = np.log(spend[active] / unit)
        return cls(logs, revenue[active] / height, np.exp(exponent * logs / 2), unit, height)

    def fit(self, before: _Fit, mean: Floats, deviation: Floats) -> _Fit | None:
        """The mode under a prior, by the noise of the fit ``before``; None where there is none."""
        weight = np.sqrt(before.noise) / deviation

        def residual(guess: Floats) -> Floats:
            misses = (np.exp(guess[0]) * self._filled(guess[1:]) - self.revenue) / self.deviation
            return np.concatenate([misses, weight * (guess[1:] - mean)])

        def slopes(guess: Floats) -> Floats:
            filled, top, slope = self._filled(guess[1:]), np.exp(guess[0]), np.exp(guess[2])
            bend = top * slope * filled * (1 - filled)
            by_day = np.column_stack([top * filled, -bend, bend * (self.spend - guess[1])])
            return np.vstack([by_day / self.deviation[:, np.newaxis], np.column_stack([np.zeros(2), np.diag(weight)])])

        best = optimize.least_squares(residual, before.guess, jac=slopes, method="lm")
        if not best.success:
            return None
        days = len(self.spend)
        # Not below a trace of the mean: perfect data would make the prior vanish by a division by zero.
        noise = max(float((best.fun[:days] ** 2).sum()) / (days - 3), 1e-12)
        return _Fit(best.x, noise * np.diag(np.linalg.inv(best.jac.T @ best.jac))[1:], noise)

    def top(self, shape: Floats) -> float:
        """The best top of a shape, in money."""
        filled, revenue = self._filled(shape) / self.deviation, self.revenue / self.deviation
        return self.height * float(revenue @ filled / (filled @ filled))

    def _filled(self, shape: Floats) -> Floats:
        return np.asarray(expit(np.exp(shape[1]) * (self.spend - shape[0])))


def _pooled(shapes: Floats, variances: Floats) -> tuple[Floats, Floats]:
    """Means and deviations of shapes of which the variances say how well they are known; the belief is one shape more."""
    shapes, variances = np.vstack([shapes, _SHAPE]), np.vstack([variances, _SHAPE_DEVIATION**2])
    mean = shapes.mean(axis=0)
    return mean, np.sqrt(((shapes - mean) ** 2 + variances).mean(axis=0))
