"""The models: from a history to simulated futures."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

import numpy as np
from statsmodels.tools.sm_exceptions import ConvergenceWarning
from statsmodels.tsa.exponential_smoothing.ets import ETSModel
from statsmodels.tsa.statespace.structural import UnobservedComponents
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from models_ml.forecasting.ordinary import without_outliers
from models_ml.forecasting.scale import suitable_scale
from models_ml.reasons import NotComputable, Reason
from models_ml.series import WEEK, Floats

LEAST_DAYS = 4 * WEEK
"""The shortest history that a weekly season is learned from."""


class Model(StrEnum):
    """The models, by the names under which forecasts are kept."""

    SEASONAL_NAIVE = "seasonal_naive"
    ETS = "ets"
    UCM = "ucm"


@dataclass(frozen=True, eq=False)
class Futures:
    """Equally likely futures, ``paths`` with the shape (draws, horizon), and the ``expected`` value of each day."""

    paths: Floats
    expected: Floats


_PARAMETERS_OF_ETS = 2 + WEEK
"""Two smoothing parameters, a level, and a season of which one weekday follows from the others."""

_Simulate = Callable[[Floats, int, int, np.random.Generator], "Floats | NotComputable"]


def seasonal_naive(history: Floats, horizon: int, draws: int, rng: np.random.Generator) -> Futures | NotComputable:
    """Each day as the same weekday of the last week; the errors of that, drawn anew for every week, add up.

    Hyndman, Athanasopoulos (2021), "Forecasting: principles and practice", 5.2 and 5.5.
    """
    if len(history) < LEAST_DAYS:
        return _too_short(history)
    weeks = -(-horizon // WEEK)
    errors = history[WEEK:] - history[:-WEEK]
    half = rng.choice(errors - errors.mean(), (-(-draws // 2), weeks, WEEK))
    drawn = np.concatenate([half, -half])[:draws].cumsum(axis=1).reshape(draws, -1)[:, :horizon]
    expected = np.tile(history[-WEEK:], weeks)[:horizon]
    return Futures(_possible(expected + drawn, history), expected)


def ets(history: Floats, horizon: int, draws: int, rng: np.random.Generator) -> Futures | NotComputable:
    """Exponential smoothing with additive errors, no trend, additive weekly season, on the suitable scale.

    ETS(A,N,A) of Hyndman et al. (2008) as statsmodels fits it to the history without its outliers. Paths take their
    errors from the residuals.
    """
    return _on_suitable_scale(_ets_paths, history, horizon, draws, rng)


def ucm(history: Floats, horizon: int, draws: int, rng: np.random.Generator) -> Futures | NotComputable:
    """A level and a weekly season that wander, on the suitable scale, fitted to the history without its outliers.

    Unobserved components (Harvey 1989) by statsmodels' Kalman filter; slower than ETS by a factor of about ten.
    """
    return _on_suitable_scale(_ucm_paths, history, horizon, draws, rng)


FUNCTIONS: Mapping[Model, Callable[[Floats, int, int, np.random.Generator], Futures | NotComputable]] = {
    Model.SEASONAL_NAIVE: seasonal_naive,
    Model.ETS: ets,
    Model.UCM: ucm,
}


def _on_suitable_scale(
    simulate: _Simulate, history: Floats, horizon: int, draws: int, rng: np.random.Generator
) -> Futures | NotComputable:
    """Usual futures, and with outliers as often and as great as in the history."""
    if len(history) < LEAST_DAYS:
        return _too_short(history)
    if np.ptp(history) == 0:
        details = f"Every day's value is {history[0]:g}; the seasonal naive model says it all."
        return NotComputable(Reason.NO_VARIATION, details)
    usual = without_outliers(history)
    scale = suitable_scale(usual, lowest=float(history.min()))
    simulated = simulate(scale.transform(usual), horizon, draws, rng)
    if isinstance(simulated, NotComputable):
        return simulated
    # Outliers move the day that they fall on, not the level of those after it.
    outliers = scale.transform(history) - scale.transform(usual)
    paths = _possible(scale.restore(simulated + rng.choice(outliers, (draws, horizon))), history)
    return Futures(paths, paths.mean(axis=0))


def _ets_paths(values: Floats, horizon: int, draws: int, rng: np.random.Generator) -> Floats | NotComputable:
    model = ETSModel(values, seasonal="add", seasonal_periods=WEEK, initialization_method="heuristic")
    fit = fitted(model, maxiter=1000)
    if fit is None:
        return NotComputable(Reason.NOT_CONVERGED, "The smoothing parameters of ETS did not converge.")
    # What was fitted took its share of the spread.
    unbiased = np.sqrt(len(values) / (len(values) - _PARAMETERS_OF_ETS))
    errors = rng.choice(unbiased * (fit.resid - fit.resid.mean()), (horizon, draws))
    simulated = fit.simulate(horizon, anchor="end", repetitions=draws, random_errors=errors)
    return np.asarray(simulated).reshape(horizon, draws).T


def _ucm_paths(values: Floats, horizon: int, draws: int, rng: np.random.Generator) -> Floats | NotComputable:
    fit = fitted(UnobservedComponents(values, level="local level", seasonal=WEEK), maxiter=200)
    if fit is None:
        return NotComputable(Reason.NOT_CONVERGED, "The variances of the level and the season did not converge.")
    return np.asarray(fit.simulate(horizon, anchor="end", repetitions=draws, rng=rng)).reshape(horizon, draws).T


def fitted(model: Any, maxiter: int) -> Any:
    """A fit of statsmodels, or None if it did not converge."""
    # The optimizer's matrices have a handful of rows: threads of BLAS only wait for each other.
    with _threads().limit(limits=1, user_api="blas"), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # None says it
        fit = model.fit(disp=False, maxiter=maxiter)
    return fit if fit.mle_retvals["converged"] else None


@cache
def _threads() -> ThreadpoolController:
    return ThreadpoolController()


def _possible(paths: Floats, history: Floats) -> Floats:
    """Paths of a measure that was never negative do not become so."""
    return np.maximum(paths, 0.0) if history.min() >= 0 else paths


def _too_short(history: Floats) -> NotComputable:
    return NotComputable(Reason.TOO_SHORT_HISTORY, f"{len(history)} days of history; it takes {LEAST_DAYS}.")
