"""The rules of the founding specification, as they stand: they know no weekdays and alert accordingly often."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

import numpy as np
from numpy.typing import NDArray

from models_ml.anomalies.judgment import Detector, Judgment
from models_ml.anomalies.windows import days_before, deviation, ordinary_values
from models_ml.reasons import Reason
from models_ml.series import WEEK, DailySeries, Floats, known_median

SIGMAS = 3.0
DROP_PERCENT = 30.0


def three_sigma(series: DailySeries, incidents: Collection[date] = ()) -> Judgment:
    """A value more than 3σ from the median of the seven days before it, σ their standard deviation.

    The score is in σ. Reasons: ``too_short_history``, ``no_variation`` (seven equal days).
    """
    week = days_before(ordinary_values(series, incidents), WEEK)
    expected, sigma = known_median(week), deviation(week, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = (series.values - expected) / sigma
    alerts = np.abs(scores) > SIGMAS
    return _judgment(
        Detector.THREE_SIGMA, series, week, expected=expected, scores=scores, alerts=alerts, constant=sigma == 0
    )


def drop(series: DailySeries, incidents: Collection[date] = ()) -> Judgment:
    """A value more than 30 % below the median of the seven days before it; the score is the deviation in percent.

    Reasons: ``too_short_history``, ``zero_baseline``.
    """
    week = days_before(ordinary_values(series, incidents), WEEK)
    expected = known_median(week)
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = (series.values / expected - 1) * 100
    # Not by the score: 70 of 100 is no drop, whatever the rounding of 0.7.
    alerts = series.values * 100 < expected * (100 - DROP_PERCENT)
    return _judgment(Detector.DROP, series, week, expected=expected, scores=scores, alerts=alerts)


def zero(series: DailySeries, incidents: Collection[date] = ()) -> Judgment:
    """A zero where the median of the seven days before is not one; the score is the deviation in percent.

    Reasons: ``too_short_history``, ``zero_baseline``.
    """
    found = drop(series, incidents)
    alerts = (series.values == 0) & (found.expected > 0)
    return Judgment(
        Detector.ZERO, series, found.values, found.expected, found.scores, alerts, found.weekly, found.reasons
    )


def _judgment(
    detector: Detector,
    series: DailySeries,
    week: Floats,
    *,
    expected: Floats,
    scores: Floats,
    alerts: NDArray[np.bool_],
    constant: NDArray[np.bool_] | None = None,
) -> Judgment:
    """Put a rule's arrays together; days with fewer than four known days before them are not judged."""
    short = np.isfinite(week).sum(axis=1) <= WEEK // 2
    zero_baseline = ~short & (expected == 0) & (detector is not Detector.THREE_SIGMA)
    flat = np.zeros_like(short) if constant is None else constant
    unjudged = short | zero_baseline | flat
    cases = [(short, Reason.TOO_SHORT_HISTORY), (zero_baseline, Reason.ZERO_BASELINE), (flat, Reason.NO_VARIATION)]
    reasons = [next((reason for flags, reason in cases if flags[day]), None) for day in range(len(series))]
    return Judgment(
        detector=detector,
        series=series,
        values=series.values,
        expected=np.where(short, np.nan, expected),
        scores=np.where(unjudged, np.nan, scores),
        alerts=alerts & ~unjudged,
        weekly=np.zeros(len(series), dtype=np.bool_),
        reasons=tuple(reasons),
    )
