"""Pacing: how a month's budget stands, and what it still allows per day."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

from models_ml.reasons import NotComputable, Reason

ON_TRACK = 0.05
"""Relative distance from plan within which spend is on track."""


class Pace(StrEnum):
    """How the spend so far compares with the plan."""

    AHEAD = "ahead"
    BEHIND = "behind"
    EXHAUSTED = "exhausted"
    ON_TRACK = "on_track"


@dataclass(frozen=True)
class Pacing:
    """Where a month's budget stands.

    ``planned``: what should have been spent by now; ``remaining``: what is left, negative when overspent;
    ``daily_budget``: what the next day may spend, 0 when nothing is left; ``projected``: the month's spend when it goes on
    like this.
    """

    pace: Pace
    planned: float
    remaining: float
    daily_budget: float
    projected: float | NotComputable


def pace_budget(budget: float, spent: float, *, days_gone: int, day_weights: ArrayLike) -> Pacing:
    """Hold the spend of ``days_gone`` whole days against a month's ``budget``.

    ``day_weights``: the relative spend of each day of the month (all 1 for an even pace; weekdays and seasons by their weight).
    What is left is split over the days left by weight. Raises ValueError when the month is over or a number is out of range.
    """
    weights = np.asarray(day_weights, dtype=np.float64)
    if weights.ndim != 1 or not len(weights) or not (np.isfinite(weights) & (weights > 0)).all():
        raise ValueError(
            f"day_weights has shape {weights.shape} or no positive weights; give one for each day of the month."
        )
    if not 0 <= days_gone < len(weights):
        raise ValueError(f"days_gone is {days_gone} of {len(weights)}; pace a month while days are left.")
    if not (0 < budget < np.inf and 0 <= spent < np.inf):
        raise ValueError(f"budget is {budget}, spent {spent}; give amounts of money, the budget above 0.")
    done = float(weights[:days_gone].sum() / weights.sum())
    planned, remaining = budget * done, budget - spent
    projected: float | NotComputable = (
        spent / done if days_gone else NotComputable(Reason.NO_DATA, "No day is over yet.")
    )
    if remaining <= 0:
        return Pacing(Pace.EXHAUSTED, planned, remaining, 0.0, projected)
    daily = remaining * float(weights[days_gone] / weights[days_gone:].sum())
    pace = Pace.ON_TRACK
    if abs(spent - planned) > ON_TRACK * planned:
        pace = Pace.AHEAD if spent > planned else Pace.BEHIND
    return Pacing(pace, planned, remaining, daily, projected)
