"""All detectors on all series: the one call of an asset."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import date

import polars as pl

from models_ml.anomalies.founding import drop, three_sigma, zero
from models_ml.anomalies.judgment import Detector, Judgment, frame_of
from models_ml.anomalies.seasonal import seasonal_residual
from models_ml.series import DailySeries

FUNCTIONS: Mapping[Detector, Callable[[DailySeries, Collection[date]], Judgment]] = {
    Detector.SEASONAL_RESIDUAL: seasonal_residual,
    Detector.THREE_SIGMA: three_sigma,
    Detector.DROP: drop,
    Detector.ZERO: zero,
}


def judge(
    series: Mapping[str, DailySeries],
    incidents: Mapping[str, Collection[date]] | None = None,
    detectors: Collection[Detector] = tuple(Detector),
) -> pl.DataFrame:
    """Every detector's word on every day of every series: the rows of :func:`frame_of` with their ``series``.

    ``incidents``: days by series that are confirmed to be out of the ordinary; they are judged, but no baseline has
    them. ``judge(series_by(frame)).filter("is_anomaly")`` are the anomalies.

    Raises ValueError for no series, no detector, and as the detectors do.
    """
    if not series or not detectors:
        raise ValueError(f"there are {len(series)} series and {len(detectors)} detectors; give at least one of each.")
    known = incidents or {}
    used = [detector for detector in Detector if detector in detectors]
    judgments = [FUNCTIONS[detector](each, known.get(name, ())) for name, each in series.items() for detector in used]
    names = pl.DataFrame({"series": list(series), "days": [len(used) * len(each) for each in series.values()]})
    return names.select(pl.col("series").repeat_by("days").explode()).hstack(frame_of(judgments))
