"""A history without the days that would mislead a model: closures, outages, one-off rushes."""

from __future__ import annotations

import numpy as np

from models_ml.series import WEEK, Floats, known_median

WEEKS_AROUND = 4
"""How many weeks before and after a day are compared with it."""

OUTLIER = 5.0
"""Deviation from the same weekday's median, in robust standard deviations of the history, from which a day is replaced."""


def without_outliers(history: Floats) -> Floats:
    """Replace each outlier by the median of its weekday in the four weeks before and after it.

    Deviations are measured between roots where no value is below 0, and scaled by 1.4826 times their median absolute
    value over the days whose median is not 0. Smoothing would carry an outlier's error into the level and count it as
    usual noise: a shop closed at Christmas would be expected to close any day. At the end of a history only the past is
    there to compare with, so that a new level counts as such after three weeks.
    """
    rooted = history.min() >= 0
    values = np.sqrt(history) if rooted else history
    missing = -len(values) % WEEK
    weeks = np.concatenate([np.full(missing, np.nan), values]).reshape(-1, WEEK)
    padded = np.pad(weeks, ((WEEKS_AROUND, WEEKS_AROUND), (0, 0)), constant_values=np.nan)
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * WEEKS_AROUND + 1, axis=0)
    usual = known_median(around).ravel()[missing:]
    deviation = np.abs(values - usual)
    scale = 1.4826 * float(np.median(deviation[usual != 0])) if usual.any() else 0.0
    outlying = (deviation > OUTLIER * scale) & (scale > 0)
    return np.where(outlying, usual**2 if rooted else usual, history)
