"""The seasonal residual detector: what a day of this weekday at the current level should bring (spec 04)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

import numpy as np

from models_ml.anomalies.judgment import Detector, Judgment
from models_ml.anomalies.windows import days_before, deviation, ordinary_values
from models_ml.reasons import Reason
from models_ml.series import WEEK, DailySeries, Floats, known_median

BASELINE_DAYS = 8 * WEEK
LEVEL_DAYS = 4 * WEEK
LEAST_DAYS = 4 * WEEK
"""How many days of the baseline, and residuals before the day, must be known at least."""

ALERT = 3.0
"""Deviation in units of the scale from which a day is an anomaly."""


def seasonal_residual(series: DailySeries, incidents: Collection[date] = ()) -> Judgment:
    """Judge each day by r = √y − √ŷ, in units of max(1.4826·MAD, ½·sd) of the residuals of the 56 days before.

    ŷ = the weekday's factor × the level: the median of that weekday in the 56 days before over the mean of all
    weekdays' medians, and the median of the last 28 days over their factors. Roots make the spread of counts and of
    sums of them the same at every level. Neither the judged day nor an incident is in a baseline.

    Where days are so noisy that not even a zero would stand out (3 sd of the residuals exceed √ŷ), the sum of the seven
    days up to it is judged instead, against the median of the eight such sums before it that share no day with it or each other.

    Reasons: ``too_short_history``, ``zero_baseline`` (nothing is expected), ``no_variation`` (the residuals have no
    spread to measure by). Raises ValueError for a value below 0.
    """
    if series.values.min() < 0:
        raise ValueError(
            f"the series has {series.values.min():g}; the roots of this detector need values of at least 0."
        )
    usual = ordinary_values(series, incidents)
    # Lag 1 is column 0; the same weekday as the judged day's stands in the last column of each week.
    baseline = days_before(usual, BASELINE_DAYS)
    weeks = baseline.reshape(len(usual), -1, WEEK)
    weekdays = known_median(weeks.swapaxes(1, 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        factors = weekdays / weekdays.mean(axis=1, keepdims=True)
        leveled = weeks[:, : LEVEL_DAYS // WEEK] / factors[:, None, :]
    level = known_median(np.where(np.isfinite(leveled), leveled, np.nan).reshape(len(usual), -1))
    known = np.isfinite(baseline).sum(axis=1)
    expected = np.where(known >= LEAST_DAYS, level * factors[:, -1], np.nan)
    expected = np.where((known >= LEAST_DAYS) & (weekdays.sum(axis=1) == 0), 0.0, expected)
    scale, noise = _spread(usual, expected, skip=0)

    sums = days_before(np.append(usual, np.nan), WEEK)[1:].sum(axis=1)
    values_of_weeks = days_before(np.append(series.values, np.nan), WEEK)[1:].sum(axis=1)
    before = days_before(sums, BASELINE_DAYS)[:, WEEK - 1 :: WEEK]
    expected_sums = np.where(np.isfinite(before).sum(axis=1) >= LEAST_DAYS // WEEK, known_median(before), np.nan)
    scale_of_sums, _ = _spread(sums, expected_sums, skip=WEEK - 1)

    weekly = ALERT * noise > np.sqrt(expected)
    expected = np.where(weekly, expected_sums, expected)
    scale = np.where(weekly, scale_of_sums, scale)
    values = np.where(weekly, values_of_weeks, series.values)
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = (np.sqrt(values) - np.sqrt(expected)) / scale
    reasons = tuple(_reason(*pair) for pair in zip(expected.tolist(), scale.tolist(), strict=True))
    scores[[reason is not None for reason in reasons]] = np.nan
    return Judgment(
        detector=Detector.SEASONAL_RESIDUAL,
        series=series,
        values=np.where(np.isfinite(values), values, series.values),
        expected=expected,
        scores=scores,
        alerts=np.abs(scores) >= ALERT,
        weekly=weekly,
        reasons=reasons,
    )


def _spread(usual: Floats, expected: Floats, skip: int) -> tuple[Floats, Floats]:
    """Scale and standard deviation of the residuals of the 56 days before each day.

    The nearest ``skip`` are left out, as they overlap with it.
    """
    residuals = days_before(np.sqrt(usual) - np.sqrt(expected), BASELINE_DAYS + skip)[:, skip:]
    center = known_median(residuals)[:, None]
    sd = deviation(residuals, axis=1)
    scale = np.maximum(1.4826 * known_median(np.abs(residuals - center)), 0.5 * sd)
    enough = np.isfinite(residuals).sum(axis=1) >= LEAST_DAYS
    return np.where(enough, scale, np.nan), np.where(enough, sd, np.nan)


def _reason(expected: float, scale: float) -> Reason | None:
    if expected == 0:
        return Reason.ZERO_BASELINE
    if not (np.isfinite(expected) and np.isfinite(scale)):
        return Reason.TOO_SHORT_HISTORY
    return Reason.NO_VARIATION if scale == 0 else None
