"""RFM: scores 1 to 5 for recency, frequency and monetary value, and their composite (spec 03-customers)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

import numpy as np
import polars as pl

from models_ml.customers.frames import Floats, check_frame
from models_ml.reasons import NotComputable, Reason

_QUINTILES = 5


@dataclass(frozen=True)
class RfmCutPoints:
    """Where scores change: the smallest values that earn a 2, 3, 4 and 5, of ``customers`` active customers.

    ``recency`` is cut on days with the sign turned, so that in every dimension more is better. A score that no value
    earned has the cut point of the next one up; above the last score that was earned it is infinite.
    """

    recency: tuple[float, ...]
    frequency: tuple[float, ...]
    monetary: tuple[float, ...]
    customers: int

    @property
    def version(self) -> str:
        """Names the cut points by their content: equal cut points have equal versions."""
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class RfmRules:
    """How much each score counts in the composite (4, 3, 3 gives 10 to 50), and from where on a customer is a VIP."""

    recency: float = 4
    frequency: float = 3
    monetary: float = 3
    vip: float = 38


def fit_rfm(customers: pl.DataFrame) -> RfmCutPoints | NotComputable:
    """Cut points by quintiles of the percent rank, ties equal.

    ``customers`` has one row per active customer: customer_id, recency_days (since the last completed order), frequency
    (orders in the window), monetary (spend in the window). The percent rank of a value is the share of the *other*
    customers that have a smaller one, SQL's ``percent_rank()``; 0.2 earns a 2, 0.8 a 5. All who share a value share
    the rank of the first of them, so a frequent value is never scored above its worst place, and with fewer than five
    distinct values some scores are not given. Raises ValueError for a frame that is not of this form.
    """
    _check(customers)
    if customers.is_empty():
        return NotComputable(Reason.NO_DATA, "There is no active customer to rank.")
    recency, frequency, monetary = (_cuts(measure) for measure in _measures(customers))
    return RfmCutPoints(recency, frequency, monetary, len(customers))


def score_rfm(customers: pl.DataFrame, cuts: RfmCutPoints, rules: RfmRules | None = None) -> pl.DataFrame:
    """Score customers by given cut points: those fitted on them, or an earlier version to compare in time.

    Returns customer_id, recency_score, frequency_score, monetary_score (1 to 5), composite, is_vip and cut_points (the
    version). Raises ValueError for a frame unfit for :func:`fit_rfm`.
    """
    _check(customers)
    rules = rules or RfmRules()
    names = ("recency_score", "frequency_score", "monetary_score")
    scores = [
        1 + np.searchsorted(cut, measure, side="right")
        for cut, measure in zip((cuts.recency, cuts.frequency, cuts.monetary), _measures(customers), strict=True)
    ]
    columns = {name: pl.Series(score, dtype=pl.Int8) for name, score in zip(names, scores, strict=True)}
    composite = rules.recency * scores[0] + rules.frequency * scores[1] + rules.monetary * scores[2]
    return customers.select("customer_id").with_columns(
        **columns,
        composite=pl.Series(composite, dtype=pl.Float64),
        is_vip=pl.Series(composite >= rules.vip),
        cut_points=pl.lit(cuts.version),
    )


def percent_rank(values: Floats) -> Floats:
    """Share of the other values that are smaller, 0 to 1; ties share the smallest, a value alone has 0."""
    smaller = np.searchsorted(np.sort(values), values, side="left")
    return np.asarray(smaller / max(len(values) - 1, 1))


def _check(customers: pl.DataFrame) -> None:
    numbers = ("recency_days", "frequency", "monetary")
    check_frame(customers, "customers", key=("customer_id",), numbers=numbers)
    for column in ("recency_days", "frequency"):
        if (customers[column] < 0).any():
            raise ValueError(f"customers.{column} falls to {customers[column].min()!r}; it can't be negative.")


def _measures(customers: pl.DataFrame) -> tuple[Floats, Floats, Floats]:
    recency, frequency, monetary = (
        customers[column].cast(pl.Float64).to_numpy() for column in ("recency_days", "frequency", "monetary")
    )
    return -recency, frequency, monetary


def _cuts(values: Floats) -> tuple[float, ...]:
    values = np.sort(values)
    smaller = np.searchsorted(values, values, side="left")
    # Whole numbers are compared, for three fifths as a float may miss by a bit.
    first = np.searchsorted(smaller * _QUINTILES, np.arange(1, _QUINTILES) * max(len(values) - 1, 1))
    return tuple(float(values[index]) if index < len(values) else np.inf for index in first)
