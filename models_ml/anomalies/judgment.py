"""What every detector says about a day."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models_ml.reasons import Reason
from models_ml.series import DailySeries, Floats


class Detector(StrEnum):
    """The detectors, by the names under which anomalies are kept.

    ``seasonal_residual`` is the one to rely on. The others are the rules of the founding specification, kept beside it
    under their own names.
    """

    SEASONAL_RESIDUAL = "seasonal_residual"
    THREE_SIGMA = "three_sigma"
    DROP = "drop"
    ZERO = "zero"


class Kind(StrEnum):
    """How an anomaly deviates; the words of the event ``anomaly_detected``."""

    SPIKE = "spike"
    DROP = "drop"
    ZERO_VALUE = "zero_value"


@dataclass(frozen=True, eq=False)
class Judgment:
    """A detector's word on every day of a series; arrays have one entry per day, NaN where ``reasons`` has one.

    ``values``: what was judged (the day's value, or the week's that ends with it); ``expected``: in the same unit;
    ``scores``: the deviation in the detector's unit; ``alerts``: whether it is an anomaly; ``weekly``: whether the week
    was judged because single days say too little.
    """

    detector: Detector
    series: DailySeries
    values: Floats
    expected: Floats
    scores: Floats
    alerts: NDArray[np.bool_]
    weekly: NDArray[np.bool_]
    reasons: tuple[Reason | None, ...]

    def to_frame(self) -> pl.DataFrame:
        """One row per day: ``date, detector, judged, value, expected, deviation_percent, score, is_anomaly, kind, reason``.

        What could not be judged has nulls and its reason. ``kind`` is null for days that are no anomaly.
        """
        days = pl.date_range(self.series.start, self.series.end, eager=True)
        kind = (
            pl.when(pl.col("value") > pl.col("expected"))
            .then(pl.lit(str(Kind.SPIKE)))
            .when(pl.col("value") == 0)
            .then(pl.lit(str(Kind.ZERO_VALUE)))
            .otherwise(pl.lit(str(Kind.DROP)))
        )
        percent = (pl.col("value") / pl.col("expected") - 1) * 100
        return pl.DataFrame(
            {
                "date": days,
                "judged": np.where(self.weekly, "week", "day"),
                "value": self.values,
                "expected": pl.Series(self.expected).fill_nan(None),
                "score": pl.Series(self.scores).fill_nan(None),
                "is_anomaly": self.alerts,
                "reason": [None if reason is None else str(reason) for reason in self.reasons],
            },
            schema_overrides={"reason": pl.String},
        ).select(
            "date",
            pl.lit(str(self.detector)).alias("detector"),
            "judged",
            "value",
            "expected",
            pl.when(pl.col("expected") > 0).then(percent).alias("deviation_percent"),
            "score",
            "is_anomaly",
            pl.when("is_anomaly").then(kind).alias("kind"),
            "reason",
        )
