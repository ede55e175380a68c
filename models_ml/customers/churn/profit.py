"""What acting on churn is worth."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from models_ml.customers.frames import Floats
from models_ml.registry import Metric


@dataclass(frozen=True)
class RetentionOffer:
    """What keeping a customer costs and does, in one currency.

    ``contact_cost`` is paid for everyone who is contacted, ``incentive_cost`` for everyone who takes the incentive:
    those who would have stayed anyway all do, of the churners the share ``save_rate``, who then stay. Only a
    holdout tells the save rate.
    """

    contact_cost: float
    incentive_cost: float
    save_rate: float

    def __post_init__(self) -> None:
        costs = (self.contact_cost, self.incentive_cost)
        if not (all(math.isfinite(cost) and cost >= 0 for cost in costs) and 0 <= self.save_rate <= 1):
            raise ValueError(f"{self}: costs from 0 on and a save rate between 0 and 1 must hold.")

    def expected_profit(self, probability: ArrayLike, value: ArrayLike) -> Floats:
        """Profit to expect of contacting each customer, given the churn probability and the value that churn would
        lose.

        Per customer, after Neslin et al. (2006), "Defection Detection", Journal of Marketing Research 43:
        p · save_rate · (value − incentive) − (1 − p) · incentive − contact. With 1 or 0 for p it is what came out.
        """
        p, worth = np.asarray(probability, dtype=np.float64), np.asarray(value, dtype=np.float64)
        taken = p * self.save_rate
        return np.asarray(taken * worth - (taken + 1 - p) * self.incentive_cost - self.contact_cost)


@dataclass(frozen=True)
class Action:
    """What came of contacting those of whom a profit was expected.

    ``profit`` is the mean over all customers, contacted or not, by what happened to each; ``profit_of_all`` what
    contacting everyone would have made of each. ``contacted`` is a share.
    """

    contacted: float
    expected_profit: float
    profit: Metric
    profit_of_all: float


def act(happened: ArrayLike, probability: ArrayLike, value: ArrayLike, offer: RetentionOffer) -> Action:
    """The outcome of contacting all customers with an expected profit above 0; one of each vector per customer.

    Raises ValueError when the vectors differ in length, are empty, or a value is negative or not finite.
    """
    y, worth = np.asarray(happened, dtype=np.float64), np.asarray(value, dtype=np.float64)
    p = np.asarray(probability, dtype=np.float64)
    if not (y.shape == p.shape == worth.shape and y.ndim == 1 and len(y)):
        raise ValueError(f"Vectors have the shapes {y.shape}, {p.shape}, {worth.shape}; give one of each per customer.")
    if not (np.isfinite(worth) & (worth >= 0)).all():
        raise ValueError("A value at stake is negative, NaN or infinite; repair or drop it.")
    expected = offer.expected_profit(p, worth)
    is_contacted = expected > 0
    would_be = offer.expected_profit(y, worth)
    made = np.where(is_contacted, would_be, 0.0)
    mean = float(made.mean())
    half = 1.96 * float(made.std(ddof=1)) / math.sqrt(len(y)) if len(y) > 1 else None
    return Action(
        contacted=float(is_contacted.mean()),
        expected_profit=float(np.where(is_contacted, expected, 0.0).mean()),
        profit=Metric(mean) if half is None else Metric(mean, mean - half, mean + half),
        profit_of_all=float(would_be.mean()),
    )
