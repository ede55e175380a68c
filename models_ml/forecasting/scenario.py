"""What planned spend would change: one forecast with it, one without, from the same futures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from statsmodels.tsa.statespace.structural import UnobservedComponents

from models_ml.forecasting.forecasts import DRAWS, Forecast
from models_ml.forecasting.models import LEAST_DAYS, Model, fitted
from models_ml.reasons import NotComputable, Reason
from models_ml.series import WEEK, DailySeries, Floats

LEAST_VARIATION = 0.15
"""Coefficient of variation of a campaign's daily spend from which its effect can be told apart (spec 04)."""


@dataclass(frozen=True, eq=False)
class Scenario:
    """Two forecasts that differ in spend alone, path by path, and the difference.

    ``effect`` is the planned minus the usual forecast; its paths' spread is the doubt about the response to spend.
    """

    usual: Forecast
    planned: Forecast
    effect: Forecast


def plan_spend(
    series: DailySeries,
    spend: Mapping[str, Floats],
    planned: Mapping[str, Floats],
    seed: int,
    *,
    exponent: float = 0.8,
    draws: int = DRAWS,
) -> Scenario | NotComputable:
    """Forecast a series under planned daily spend by campaign, beside the forecast with the usual spend.

    ``spend``: past daily spend of each campaign, as long as the series; ``planned``: its spend on the days to come, all
    campaigns for the same number of days. A day's spend s adds β·s^``exponent`` to the value of that day (spec 04:
    0.8), with β of each campaign estimated beside a wandering level and a weekly season (statsmodels'
    UnobservedComponents, Harvey 1989). Usual spend is the mean response of the last four weeks, weekday by weekday. The
    response is a correlation: spend that followed demand looks effective; only an experiment tells.

    Raises ValueError where lengths or campaigns do not match and for spend below 0, NaN or infinite.
    """
    horizon = _checked_horizon(series, spend, planned)
    if len(series) < 2 * LEAST_DAYS:
        return NotComputable(Reason.TOO_SHORT_HISTORY, f"{len(series)} days of history; it takes {2 * LEAST_DAYS}.")
    still = sorted(name for name, each in spend.items() if each.std() < LEAST_VARIATION * each.mean() or not each.any())
    if still:
        details = (
            f"The spend of {', '.join(still)} varied by less than {LEAST_VARIATION:.0%}; its effect can't be told."
        )
        return NotComputable(Reason.NO_VARIATION, details)
    names = sorted(spend)
    past, future = (np.stack([each[name] for name in names], axis=1) ** exponent for each in (spend, planned))
    weeks = past[-4 * WEEK :].reshape(4, WEEK, len(names)).mean(axis=0)
    usual = np.tile(weeks, (-(-horizon // WEEK), 1))[:horizon]
    # Responses to spend differ by orders of magnitude; standardized they are estimated with the same care.
    unit = past.std(axis=0)
    model = UnobservedComponents(series.values, level="local level", seasonal=WEEK, exog=past / unit)
    fit = fitted(model, maxiter=500)
    if fit is None:
        return NotComputable(Reason.NOT_CONVERGED, "The response to spend did not converge.")
    rng = np.random.default_rng(seed)
    simulated = fit.simulate(horizon, anchor="end", repetitions=draws, exog=usual / unit, rng=rng)
    first = len(fit.params) - len(names)
    beta = rng.multivariate_normal(fit.params[first:], fit.cov_params()[first:, first:], draws)
    effect = beta @ ((future - usual) / unit).T
    expected = fit.params[first:] @ ((future - usual) / unit).T
    base = simulated.reshape(horizon, draws).T
    start = series.end + timedelta(days=1)
    mean = base.mean(axis=0)
    return Scenario(
        usual=Forecast(Model.UCM, start, base, mean),
        planned=Forecast(Model.UCM, start, base + effect, mean + expected),
        effect=Forecast(Model.UCM, start, effect, expected),
    )


def _checked_horizon(series: DailySeries, spend: Mapping[str, Floats], planned: Mapping[str, Floats]) -> int:
    if not spend or set(spend) != set(planned):
        raise ValueError(
            f"spend has the campaigns {sorted(spend)} and planned {sorted(planned)}; give both the same, at least one."
        )
    horizons = {len(each) for each in planned.values()}
    if len(horizons) > 1 or 0 in horizons:
        raise ValueError(f"planned has {sorted(horizons)} days; plan the same days for every campaign, at least one.")
    for name, each in spend.items():
        if len(each) != len(series):
            raise ValueError(f"spend of {name} has {len(each)} days and the series {len(series)}; give one per day.")
    for kind, by_campaign in (("spend", spend), ("planned", planned)):
        for name, each in by_campaign.items():
            bad = each[~(np.isfinite(each) & (each >= 0))]
            if len(bad):
                raise ValueError(f"{kind} of {name} has {bad[0]}; it must be finite and at least 0.")
    return horizons.pop()
