"""Engagement: what a customer did lately, weighted and faded, as the probability to open or click the next message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import ArrayLike
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from models_ml.customers.frames import Floats, check_frame
from models_ml.reasons import NotComputable, Reason


@dataclass(frozen=True)
class EngagementRules:
    """How much each type of event counts when it happens, and after how many days it counts half."""

    weights: Mapping[str, float]
    half_life_days: float = 30.0

    def __post_init__(self) -> None:
        if not (self.half_life_days > 0 and all(0 <= weight < np.inf for weight in self.weights.values())):
            raise ValueError(f"{self}: a half-life above 0 and finite weights from 0 on must hold.")


@dataclass(frozen=True)
class EngagementModel:
    """How the index means a probability: log-odds = intercept + slope · ln(1 + index)."""

    intercept: float
    slope: float

    def probability(self, index: ArrayLike) -> Floats:
        """Probability to respond, of each value of the index (0 for who did nothing)."""
        return np.asarray(expit(self.intercept + self.slope * _logarithm(index)))


ENGAGEMENT_TYPES = (EngagementModel,)
"""What a stored engagement model consists of, to be declared as trusted."""


def engagement_index(events: pl.DataFrame, as_of: datetime, rules: EngagementRules) -> pl.DataFrame:
    """Σ count · weight · 2^(−age / half-life) over the events before ``as_of``: customer_id, index, by customer.

    ``events`` has customer_id, event_type, occurred_at and count; a row may stand for one event or for the events of a
    day. Types without a weight do not count; who is not among the events has the index 0. Raises ValueError for counts
    below 0.
    """
    check_frame(
        events,
        "events",
        columns=("customer_id", "event_type"),
        numbers=("count",),
        instants=("occurred_at",),
        as_of=as_of,
    )
    if (events["count"] < 0).any():
        raise ValueError(f"events.count falls to {events['count'].min()!r}; it can't be negative.")
    weight = pl.col("event_type").replace_strict(dict(rules.weights), default=0.0, return_dtype=pl.Float64)
    age = (pl.lit(as_of) - pl.col("occurred_at")) / timedelta(days=1)
    faded = pl.col("count") * weight * (-age / rules.half_life_days * np.log(2)).exp()
    return (
        events.lazy()
        .filter(pl.col("occurred_at") < as_of)
        .group_by("customer_id")
        .agg(index=faded.sum())
        .sort("customer_id")
        .collect()
    )


def fit_engagement(index: ArrayLike, responded: ArrayLike) -> EngagementModel | NotComputable:
    """Calibrate the index to a probability by logistic regression on later messages.

    One value each per message: ``index`` of its customer when it was sent, ``responded`` 1 if it was opened (or
    clicked), else 0. NotComputable when all or none responded, when all have the same index, or when a higher index
    does not come with more responses: then the weights are wrong and a probability would turn them upside down. Raises
    ValueError for an index below 0 or not finite, and for outcomes that are neither 0 nor 1.
    """
    x, y = _logarithm(index), np.asarray(responded, dtype=np.float64)
    if x.shape != y.shape or not np.isin(y, (0.0, 1.0)).all():
        raise ValueError(f"There are {x.shape} indexes and {y.shape} outcomes; give one of each per message, 0 or 1.")
    if y.sum() in (0, len(y)):
        return NotComputable(Reason.ONE_CLASS_ONLY, f"{y.sum():.0f} of {len(y)} messages had a response.")
    if (x == x[0]).all():
        return NotComputable(Reason.NO_VARIATION, f"All {len(x)} messages have the index {np.expm1(x[0]):g}.")
    fitted = LogisticRegression(C=np.inf, max_iter=1000).fit(x[:, None], y)
    slope = float(fitted.coef_[0, 0])
    if slope <= 0:
        return NotComputable(
            Reason.NO_VARIATION, f"Responses do not rise with the index: the slope is {slope:.3g}. Review the weights."
        )
    return EngagementModel(float(fitted.intercept_[0]), slope)


def _logarithm(index: ArrayLike) -> Floats:
    values = np.asarray(index, dtype=np.float64)
    if values.ndim != 1 or not (np.isfinite(values) & (values >= 0)).all():
        raise ValueError("An engagement index is negative, NaN or infinite, or not one of a vector.")
    return np.log1p(values)
