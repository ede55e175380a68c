"""Which model forecasts a series: the best of the past, if it beats the seasonal naive one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from models_ml.forecasting.backtests import Backtest, backtest
from models_ml.forecasting.models import Model
from models_ml.reasons import NotComputable
from models_ml.series import WEEK, DailySeries


@dataclass(frozen=True, eq=False)
class Champion:
    """The chosen model, the backtests that it was chosen by, and the MASE of each (or why it has none)."""

    model: Model
    backtests: Mapping[Model, Backtest | NotComputable]
    mase: Mapping[Model, float | NotComputable]


def choose_champion(
    series: DailySeries,
    seed: int,
    candidates: Collection[Model] = (Model.ETS,),
    *,
    horizon: int = 30,
    origins: int = 12,
    step: int = WEEK,
) -> Champion | NotComputable:
    """Backtest the candidates beside the seasonal naive model and choose the smallest MASE over the whole horizon.

    The gate: a candidate that does not beat the seasonal naive model, or can't be fitted, is not used. Without enough
    history for a backtest there is no champion; the caller's rules decide.
    """
    models = (Model.SEASONAL_NAIVE, *(model for model in Model if model in candidates))
    backtests = {
        model: backtest(series, model, seed, horizon=horizon, origins=origins, step=step)
        for model in dict.fromkeys(models)
    }
    gate = backtests[Model.SEASONAL_NAIVE]
    if isinstance(gate, NotComputable):
        return gate
    mase = {
        model: found if isinstance(found, NotComputable) else found.accuracy().mase
        for model, found in backtests.items()
    }
    known = {model: value for model, value in mase.items() if not isinstance(value, NotComputable)}
    # The naive model comes first: an equal candidate does not beat it.
    best = min(known, key=lambda model: known[model]) if Model.SEASONAL_NAIVE in known else Model.SEASONAL_NAIVE
    return Champion(best, backtests, mase)
