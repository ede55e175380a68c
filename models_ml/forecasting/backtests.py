"""How good forecasts would have been: from many days of the past, against what came."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from models_ml.forecasting.forecasts import LEVELS, forecast
from models_ml.forecasting.models import LEAST_DAYS, Model
from models_ml.reasons import NotComputable, Reason
from models_ml.series import WEEK, DailySeries, Floats


@dataclass(frozen=True)
class Accuracy:
    """How far and to which side forecasts were off.

    ``mase``: mean absolute error in units of the history's mean absolute difference between a day and the same weekday
    before (Hyndman, Koehler 2006). ``wape``: absolute errors per absolute actual value, summed before dividing.
    ``bias``: the same with signs, above 0 where too much was forecast. ``coverage``: by level, the share of values
    inside the interval.
    """

    mase: float | NotComputable
    wape: float | NotComputable
    bias: float | NotComputable
    coverage: Mapping[float, float]


@dataclass(frozen=True, eq=False)
class Backtest:
    """Forecasts from several origins and what came; arrays have the shape (origins, horizon).

    ``origins``: the last days that each forecast knew. ``lower`` and ``upper``: by level. ``naive_errors``: what scales
    the MASE, one number per origin. ``totals``: by level the share of origins whose sum over the horizon lay inside
    the interval of the total.
    """

    model: Model
    origins: tuple[date, ...]
    actual: Floats
    expected: Floats
    lower: Mapping[float, Floats]
    upper: Mapping[float, Floats]
    naive_errors: Floats
    totals: Mapping[float, float]

    def accuracy(self, first: int = 1, last: int | None = None) -> Accuracy:
        """Accuracy over the days ``first`` to ``last`` ahead, by default all.

        Raises ValueError for days that were not forecast.
        """
        horizon = self.actual.shape[1]
        end = horizon if last is None else last
        if not 1 <= first <= end <= horizon:
            raise ValueError(f"days {first} to {end} ahead are asked for; the backtest has 1 to {horizon}.")
        days = slice(first - 1, end)
        actual, errors = self.actual[:, days], self.expected[:, days] - self.actual[:, days]
        size = np.abs(actual).sum()
        without_scale = NotComputable(Reason.NO_VARIATION, "Some history repeats the same week and scales no error.")
        without_size = NotComputable(Reason.ZERO_BASELINE, "Every actual value is 0; nothing to relate errors to.")
        inside = {
            level: float(((self.lower[level][:, days] <= actual) & (actual <= self.upper[level][:, days])).mean())
            for level in LEVELS
        }
        return Accuracy(
            mase=float((np.abs(errors) / self.naive_errors[:, None]).mean())
            if self.naive_errors.all()
            else without_scale,
            wape=float(np.abs(errors).sum() / size) if size else without_size,
            bias=float(errors.sum() / size) if size else without_size,
            coverage=inside,
        )

    def by_horizon(self) -> pl.DataFrame:
        """Accuracy of each day ahead: ``horizon, mase, wape, bias, coverage_50 …``; null where not computable."""
        rows = []
        for day in range(1, self.actual.shape[1] + 1):
            found = self.accuracy(day, day)
            figures = {"mase": found.mase, "wape": found.wape, "bias": found.bias}
            known = {name: None if isinstance(each, NotComputable) else each for name, each in figures.items()}
            rows.append(
                {"horizon": day} | known | {f"coverage_{level * 100:.0f}": found.coverage[level] for level in LEVELS}
            )
        return pl.DataFrame(rows, infer_schema_length=None)

    def to_frame(self) -> pl.DataFrame:
        """Forecast against actual: ``origin, date, horizon, expected, actual`` and the bounds of each level."""
        origins, horizon = self.actual.shape
        ahead = np.tile(np.arange(1, horizon + 1), origins)
        bounds = {
            f"{side}_{level * 100:.0f}": values[level].ravel()
            for level in LEVELS
            for side, values in (("lower", self.lower), ("upper", self.upper))
        }
        frame = pl.DataFrame(
            {"origin": np.repeat(np.array(self.origins, dtype="datetime64[D]"), horizon), "horizon": ahead}
        )
        dates = (pl.col("origin") + pl.duration(days="horizon")).alias("date")
        values = {"expected": self.expected.ravel(), "actual": self.actual.ravel()} | bounds
        return frame.with_columns(dates).hstack(pl.DataFrame(values))


def backtest(
    series: DailySeries, model: Model, seed: int, *, horizon: int = 30, origins: int = 12, step: int = WEEK
) -> Backtest | NotComputable:
    """Forecast ``horizon`` days from each of ``origins`` past days, ``step`` days apart, the last as late as possible.

    Each forecast is fitted to the days up to its origin and knows nothing after it; the first has at least twice the
    shortest history that the models take.

    Raises ValueError for numbers below 1.
    """
    for name, value in (("horizon", horizon), ("origins", origins), ("step", step)):
        if value < 1:
            raise ValueError(f"{name} is {value}; it must be at least 1.")
    cuts = [len(series) - horizon - step * back for back in reversed(range(origins))]
    if cuts[0] < 2 * LEAST_DAYS:
        needed = 2 * LEAST_DAYS + step * (origins - 1) + horizon
        return NotComputable(Reason.TOO_SHORT_HISTORY, f"{len(series)} days of history; this backtest takes {needed}.")
    found = []
    for cut in cuts:
        made = forecast(series.first(cut), horizon, seed, model)
        if isinstance(made, NotComputable):
            return NotComputable(made.reason, f"After {cut} days: {made.details}")
        found.append(made)
    actual = np.stack([series.values[cut : cut + horizon] for cut in cuts])
    bounds = {level: np.stack([each.interval(level) for each in found]) for level in LEVELS}
    sums = actual.sum(axis=1).tolist()
    totals = [each.total().intervals for each in found]
    inside = {
        level: [low <= total <= high for total, (low, high) in zip(sums, (each[level] for each in totals), strict=True)]
        for level in LEVELS
    }
    return Backtest(
        model=model,
        origins=tuple(series.start + timedelta(days=cut - 1) for cut in cuts),
        actual=actual,
        expected=np.stack([each.expected for each in found]),
        lower={level: each[:, 0] for level, each in bounds.items()},
        upper={level: each[:, 1] for level, each in bounds.items()},
        naive_errors=np.array([_naive_error(series.values[:cut]) for cut in cuts]),
        totals={level: sum(hits) / len(hits) for level, hits in inside.items()},
    )


def _naive_error(history: Floats) -> float:
    return float(np.abs(history[WEEK:] - history[:-WEEK]).mean())
