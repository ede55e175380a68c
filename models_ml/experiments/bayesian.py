"""The chance that one arm converts better, and what choosing it wrongly would cost: exact, from two beta posteriors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from models_ml.experiments.samples import Conversions
from models_ml.reasons import NotComputable, Reason

_LEVELS = 10.0 ** -np.array([100.0, 40.0, 16.0, 9.0, 5.0, 3.0, 1.7, 1.0, 0.5])
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)


@dataclass(frozen=True)
class WinProbability:
    """``treatment`` and ``control``: the chances that their rate is the higher one; together 1.

    ``loss_of_treatment`` and ``loss_of_control``: the conversion rate that is given up on average by choosing that arm.
    """

    treatment: float
    control: float
    loss_of_treatment: float
    loss_of_control: float


def win_probability(
    treatment: Conversions, control: Conversions, *, prior: tuple[float, float] = (1.0, 1.0)
) -> WinProbability | NotComputable:
    """The beta-binomial posteriors of two conversion rates against each other; ``prior`` is that of both, Beta(α, β).

    P(A > B) = ∫ f_A·F_B and the expected loss of B, E max(A − B, 0) = ∫ (1 − F_A)·F_B, are integrated by Gauss-Legendre between
    quantiles of both: no draws, and sums of positive terms only, so that small chances and losses keep their digits.

    Reasons: no_data, no_control (an arm without users).
    """
    if not min(prior) > 0:
        raise ValueError(f"prior is {prior}; both numbers of a beta distribution are positive.")
    for arm, reason in ((treatment, Reason.NO_DATA), (control, Reason.NO_CONTROL)):
        if not arm.users:
            return NotComputable(reason, "An arm has no users.")
    a, b = _posterior(treatment, prior), _posterior(control, prior)
    points, weights = _grid(a, b)
    below_a, below_b = special.betainc(*a, points), special.betainc(*b, points)
    above_a, above_b = special.betaincc(*a, points), special.betaincc(*b, points)
    wins = float(weights @ (_density(a, points) * below_b))
    loses = float(weights @ (_density(b, points) * below_a))
    return WinProbability(
        # Each of the two is exact where it is small; the larger one is what is left of 1.
        treatment=wins if wins < 0.5 else 1 - loses,
        control=loses if wins < 0.5 else 1 - wins,
        loss_of_treatment=float(weights @ (above_b * below_a)),
        loss_of_control=float(weights @ (above_a * below_b)),
    )


def _posterior(arm: Conversions, prior: tuple[float, float]) -> tuple[float, float]:
    return prior[0] + arm.conversions, prior[1] + arm.users - arm.conversions


def _density(posterior: tuple[float, float], points: NDArray[np.float64]) -> NDArray[np.float64]:
    alpha, beta = posterior
    logarithm = special.xlogy(alpha - 1, points) + special.xlog1py(beta - 1, -points) - special.betaln(alpha, beta)
    return np.asarray(np.exp(logarithm))


def _grid(a: tuple[float, float], b: tuple[float, float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points and weights that resolve both posteriors, however different their widths."""
    cuts = [np.array([0.0, 1.0])]
    for posterior in (a, b):
        cuts += [special.betaincinv(*posterior, _LEVELS), special.betainccinv(*posterior, _LEVELS)]
    edges = np.concatenate(cuts)
    edges = np.unique(edges[np.isfinite(edges)])  # scipy has no quantile at some levels far out; others are near
    half = np.diff(edges)[:, np.newaxis] / 2
    points = edges[:-1, np.newaxis] + half * (1 + _NODES)
    return points.ravel(), (half * _WEIGHTS).ravel()
