"""Maximum likelihood for models with positive parameters: the search, and what to know before trusting its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from models_ml.customers.frames import Floats
from models_ml.reasons import NotComputable, Reason

_NEARLY_FLAT = 1e-6
_FLAT = 1e-5
_STEP = 1e-4
_RUNAWAY = 20.0
_WORST_ERROR = 5.0


@dataclass(frozen=True)
class Convergence:
    """How the search ended.

    ``gradient`` is the largest slope of the mean log-likelihood that is left, by the logarithm of a parameter.
    ``relative_errors`` are the standard errors of the parameters as shares of them, in their order, from the observed
    information; ``condition`` is that matrix's condition number: from about 1e4 on some combination of parameters
    hardly shows in the data, and single ones mean little although predictions may be good.
    """

    log_likelihood: float
    customers: int
    evaluations: int
    gradient: float
    relative_errors: tuple[float, ...]
    condition: float


def total(weights: Floats, values: Floats) -> float:
    """Σ weight × value, without the threads that BLAS starts: equal on any machine, and unhurt by busy cores."""
    return float(np.einsum("i,i", weights, values))


def maximize(
    mean_log_likelihood: Callable[[Floats], tuple[float, Floats]], start: Sequence[float], customers: int
) -> tuple[Floats, Convergence] | NotComputable:
    """Positive parameters that maximize a mean log-likelihood, by BFGS over their logarithms.

    The function takes the parameters and returns the mean log-likelihood of a customer and its gradient by them;
    ``start`` is also their scale. The information matrix is the difference quotient of the analytic gradient.
    NotComputable when the slope is not flat at the end, a parameter runs away from its scale, the matrix has a
    direction that is not curved, or a standard error is above five times its parameter: then the data do not determine
    the parameters.
    """
    scale = np.log(np.asarray(start, dtype=np.float64))

    def descent(logarithms: Floats) -> tuple[float, Floats]:
        parameters = np.exp(logarithms)
        value, gradient = mean_log_likelihood(parameters)
        return -value, -gradient * parameters

    with np.errstate(all="ignore"):
        # The last digits are left to Newton's step: near the top the value itself is too coarse to search by.
        found = minimize(descent, scale, jac=True, method="BFGS", options={"gtol": _NEARLY_FLAT, "maxiter": 500})
        steps = _STEP * np.eye(len(scale))
        slopes = [(descent(found.x + step)[1] - descent(found.x - step)[1]) / (2 * _STEP) for step in steps]
    curvature = (np.array(slopes) + np.array(slopes).T) / 2
    slope = float(np.abs(found.jac).max())
    if not (np.isfinite(found.x).all() and np.isfinite(curvature).all() and slope <= _FLAT):
        return NotComputable(Reason.NOT_CONVERGED, f"The slope is {slope:.1e} after {found.nfev} evaluations.")
    eigenvalues = np.linalg.eigvalsh(curvature)
    if np.abs(found.x - scale).max() > _RUNAWAY or eigenvalues[0] <= 0:
        ended = ", ".join(f"{value:.3g}" for value in np.exp(found.x))
        return NotComputable(
            Reason.NOT_CONVERGED, f"The data do not determine the parameters: the search ran to {ended}."
        )
    covariance = np.linalg.inv(curvature)
    errors = np.sqrt(np.diag(covariance) / customers)
    if errors.max() > _WORST_ERROR:
        return NotComputable(
            Reason.NOT_CONVERGED,
            f"The data do not determine the parameters: errors are {errors.max():.0f} times as large.",
        )
    top = found.x - covariance @ found.jac
    with np.errstate(all="ignore"):
        value, gradient = descent(top)
    return np.exp(top), Convergence(
        log_likelihood=-value * customers,
        customers=customers,
        evaluations=int(found.nfev) + 2 * len(scale) + 1,
        gradient=float(np.abs(gradient).max()),
        relative_errors=tuple(errors.tolist()),
        condition=float(eigenvalues[-1] / eigenvalues[0]),
    )
