"""The days before each day, without those that are known to be out of the ordinary."""

from __future__ import annotations

import warnings
from collections.abc import Collection
from datetime import date

import numpy as np

from models_ml.series import DailySeries, Floats


def ordinary_values(series: DailySeries, incidents: Collection[date]) -> Floats:
    """The values with NaN on the days of incidents; incidents outside the series don't matter."""
    values = series.values.copy()
    days = np.array([(day - series.start).days for day in incidents], dtype=np.int64)
    values[days[(days >= 0) & (days < len(values))]] = np.nan
    return values


def days_before(values: Floats, days: int) -> Floats:
    """For each day the values of so many days before it, the nearest first, NaN before the start; shape (n, days)."""
    padded = np.concatenate([np.full(days, np.nan), values])
    return np.lib.stride_tricks.sliding_window_view(padded, days)[:-1, ::-1]


def deviation(values: Floats, axis: int) -> Floats:
    """The standard deviation of what is known; NaN where fewer than two are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanstd(values, axis=axis, ddof=1))
