"""What every detector says about a day."""

from __future__ import annotations

from collections.abc import Sequence
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
        """One row per day, as :func:`frame_of` has them."""
        return frame_of([self])


def frame_of(judgments: Sequence[Judgment]) -> pl.DataFrame:
    """One row per judgment and day, in their order.

    Columns: ``date, detector, judged, value, expected, deviation_percent, score, is_anomaly, kind, reason``. What could
    not be judged has nulls and its reason. ``kind`` is null for days that are no anomaly.
    """
    kind = (
        pl.when(pl.col("value") > pl.col("expected"))
        .then(pl.lit(str(Kind.SPIKE)))
        .when(pl.col("value") == 0)
        .then(pl.lit(str(Kind.ZERO_VALUE)))
        .otherwise(pl.lit(str(Kind.DROP)))
    )
    percent = (pl.col("value") / pl.col("expected") - 1) * 100
    lengths = [len(each.series) for each in judgments]
    days = [np.datetime64(each.series.start) + np.arange(len(each.series)) for each in judgments]
    return pl.DataFrame(
        {
            "date": np.concatenate(days),
            "detector": np.repeat([str(each.detector) for each in judgments], lengths),
            "judged": np.where(np.concatenate([each.weekly for each in judgments]), "week", "day"),
            "value": np.concatenate([each.values for each in judgments]),
            "expected": np.concatenate([each.expected for each in judgments]),
            "score": np.concatenate([each.scores for each in judgments]),
            "is_anomaly": np.concatenate([each.alerts for each in judgments]),
            "reason": [None if reason is None else str(reason) for each in judgments for reason in each.reasons],
        },
        schema_overrides={"reason": pl.String},
    ).select(
        "date",
        "detector",
        "judged",
        "value",
        pl.col("expected").fill_nan(None),
        pl.when(pl.col("expected") > 0).then(percent).fill_nan(None).alias("deviation_percent"),
        pl.col("score").fill_nan(None),
        "is_anomaly",
        pl.when("is_anomaly").then(kind).alias("kind"),
        "reason",
    )
