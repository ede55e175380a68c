"""Forecasts as simulated paths, of which days, intervals and totals are views."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from models_ml.forecasting.models import FUNCTIONS, Model
from models_ml.reasons import NotComputable
from models_ml.series import DailySeries, Floats

LEVELS = (0.5, 0.8, 0.95)
"""Probabilities of the intervals that are kept."""

DRAWS = 1000
"""Simulated paths of a forecast."""


@dataclass(frozen=True)
class Total:
    """The sum over the first ``days`` days: expected, and one (lower, upper) per level."""

    days: int
    expected: float
    intervals: Mapping[float, tuple[float, float]]


@dataclass(frozen=True, eq=False)
class Forecast:
    """Futures from the day ``start`` on: ``paths`` with the shape (draws, days), ``expected`` one number per day."""

    model: Model
    start: date
    paths: Floats
    expected: Floats

    def __len__(self) -> int:
        """Number of days."""
        return len(self.expected)

    def interval(self, level: float) -> Floats:
        """Lower and upper bounds of each day's value at a probability; shape (2, days)."""
        return np.quantile(self.paths, _tails(level), axis=0)

    def total(self, days: int | None = None) -> Total:
        """The sum over the first days (all by default): quantiles of the paths' sums, never sums of daily bounds.

        Raises ValueError for more days than there are, or none.
        """
        chosen = len(self) if days is None else days
        if not 1 <= chosen <= len(self):
            raise ValueError(f"days is {days}; the forecast has 1 to {len(self)}.")
        sums = self.paths[:, :chosen].sum(axis=1)
        lower, upper = np.quantile(sums, _tails(np.array(LEVELS)))
        bounds = zip(LEVELS, zip(lower.tolist(), upper.tolist(), strict=True), strict=True)
        return Total(chosen, float(self.expected[:chosen].sum()), dict(bounds))

    def to_frame(self) -> pl.DataFrame:
        """One row per day: ``date, horizon, model, expected`` and ``lower_50 … upper_95``."""
        days = range(len(self))
        lower, upper = np.quantile(self.paths, _tails(np.array(LEVELS)), axis=0)
        bounds = {
            f"{side}_{level * 100:.0f}": bound
            for number, level in enumerate(LEVELS)
            for side, bound in (("lower", lower[number]), ("upper", upper[number]))
        }
        dates = [self.start + timedelta(days=day) for day in days]
        names = {"date": dates, "horizon": [day + 1 for day in days], "model": [str(self.model)] * len(self)}
        return pl.DataFrame(names | {"expected": self.expected} | bounds)


@dataclass(frozen=True, eq=False)
class Forecasts:
    """Forecasts of many series by name, or why one has none."""

    by_series: Mapping[str, Forecast | NotComputable]

    @property
    def not_computable(self) -> Mapping[str, NotComputable]:
        """The series without a forecast, and why."""
        return {name: each for name, each in self.by_series.items() if isinstance(each, NotComputable)}

    def to_frame(self) -> pl.DataFrame:
        """The rows of all forecasts, with their ``series``; no rows and no columns if there is no forecast."""
        frames = [
            each.to_frame().select(pl.lit(name).alias("series"), pl.all())
            for name, each in self.by_series.items()
            if isinstance(each, Forecast)
        ]
        return pl.concat(frames) if frames else pl.DataFrame()


def forecast(
    series: DailySeries, horizon: int, seed: int, model: Model = Model.ETS, draws: int = DRAWS
) -> Forecast | NotComputable:
    """Simulate the days after a series' end.

    Raises ValueError for a horizon below 1 or fewer than two draws.
    """
    return _forecast(series, horizon, np.random.default_rng(seed), model, draws)


def forecast_all(
    series: Mapping[str, DailySeries],
    horizon: int,
    seed: int,
    models: Mapping[str, Model] | Model = Model.ETS,
    draws: int = DRAWS,
) -> Forecasts:
    """Forecast many series, each by its own model if ``models`` names it by series (for instance the champions).

    A series' futures depend on the seed and its own name, not on the other series. Raises ValueError as
    :func:`forecast` does, and for a series without a model.
    """
    chosen = dict.fromkeys(series, models) if isinstance(models, Model) else models
    missing = sorted(set(series) - set(chosen))
    if missing:
        raise ValueError(f"models has none for {', '.join(missing)}; name one for every series.")
    return Forecasts(
        {
            name: _forecast(each, horizon, np.random.default_rng([seed, *name.encode()]), chosen[name], draws)
            for name, each in series.items()
        }
    )


def _forecast(
    series: DailySeries, horizon: int, rng: np.random.Generator, model: Model, draws: int
) -> Forecast | NotComputable:
    if horizon < 1:
        raise ValueError(f"horizon is {horizon}; forecast at least one day.")
    if draws < 2:
        raise ValueError(f"draws is {draws}; intervals need at least 2, {DRAWS} are usual.")
    futures = FUNCTIONS[model](series.values, horizon, draws, rng)
    if isinstance(futures, NotComputable):
        return futures
    return Forecast(model, series.end + timedelta(days=1), futures.paths, futures.expected)


def _tails(level: float | Floats) -> Floats:
    return np.stack([(1 - np.asarray(level)) / 2, (1 + np.asarray(level)) / 2])
