"""Sufficient statistics: all that an inference needs to know of the users of one arm, as the warehouse can sum it up."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Conversions:
    """``users`` of an arm, of whom ``conversions`` converted; each user counts once.

    Raises ValueError when a count is negative or more users converted than there are.
    """

    users: int
    conversions: int

    def __post_init__(self) -> None:
        if not 0 <= self.conversions <= self.users:
            raise ValueError(
                f"conversions is {self.conversions} of {self.users} users; count every converting user once, 0 to users."
            )

    @property
    def rate(self) -> float:
        """Converting users per user, 0..1. Raises ValueError when there are no users."""
        if not self.users:
            raise ValueError("An arm without users has no rate; ask only for those of arms with users.")
        return self.conversions / self.users

    def __add__(self, other: Conversions) -> Conversions:
        return Conversions(self.users + other.users, self.conversions + other.conversions)


@dataclass(frozen=True)
class Moments:
    """Mean and variance (denominator ``users`` − 1) of a quantity measured once per user, users with 0 included.

    Raises ValueError when a number is not finite, or users or the variance are negative.
    """

    users: int
    mean: float
    variance: float

    def __post_init__(self) -> None:
        if self.users < 0 or not math.isfinite(self.mean) or not (math.isfinite(self.variance) and self.variance >= 0):
            raise ValueError(
                f"Moments of {self.users} users with mean {self.mean} and variance {self.variance}: "
                "users and variance are at least 0 and all are finite; leave out users without a value."
            )

    @classmethod
    def from_values(cls, values: ArrayLike, *, cap: float | None = None) -> Moments:
        """Sum up one value per user; values above ``cap`` count as ``cap`` (see :func:`shared_cap`)."""
        array = _finite(values, "values")
        if cap is not None:
            array = np.minimum(array, cap)
        return cls(len(array), _mean(array), _covariance(array, array))

    @classmethod
    def from_sums(cls, users: int, total: float, squares: float) -> Moments:
        """From the sum and the sum of squares over the users, as SQL gives them."""
        if users < 2:
            return cls(users, total if users else 0.0, 0.0)
        return cls(users, total / users, _centered(users, total, total, squares))

    @property
    def variance_of_mean(self) -> float:
        """Squared standard error of the mean."""
        return self.variance / self.users

    def __add__(self, other: Moments) -> Moments:
        both = PairMoments(self, self, self.variance) + PairMoments(other, other, other.variance)
        return both.y


@dataclass(frozen=True)
class PairMoments:
    """Two quantities of the same users: ``y`` the outcome; ``x`` its denominator, or what it was before the experiment."""

    y: Moments
    x: Moments
    covariance: float

    def __post_init__(self) -> None:
        if self.y.users != self.x.users:
            raise ValueError(f"y has {self.y.users} users and x {self.x.users}; give both for every user.")
        most = math.sqrt(self.y.variance * self.x.variance)
        if not abs(self.covariance) <= most * (1 + 1e-9) + 1e-300:
            raise ValueError(f"The covariance is {self.covariance}; with these variances it is within ±{most}.")

    @classmethod
    def from_values(cls, y: ArrayLike, x: ArrayLike) -> PairMoments:
        """Sum up two values per user, in the same order of users."""
        outcome, other = _finite(y, "y"), _finite(x, "x")
        if len(outcome) != len(other):
            raise ValueError(f"y has {len(outcome)} values and x {len(other)}; give both for every user.")
        covariance = _covariance(outcome, other)
        return cls(Moments.from_values(outcome), Moments.from_values(other), covariance)

    @classmethod
    def from_sums(
        cls, users: int, *, total_y: float, total_x: float, squares_y: float, squares_x: float, products: float
    ) -> PairMoments:
        """From sums, sums of squares and the sum of products over the users, as SQL gives them."""
        covariance = _centered(users, total_y, total_x, products, least=-math.inf) if users > 1 else 0.0
        y, x = Moments.from_sums(users, total_y, squares_y), Moments.from_sums(users, total_x, squares_x)
        return cls(y, x, covariance)

    @property
    def users(self) -> int:
        """How many users both quantities are of."""
        return self.y.users

    def __add__(self, other: PairMoments) -> PairMoments:
        """Both groups of users together (Chan, Golub and LeVeque 1983)."""
        users = self.users + other.users
        if not self.users or not other.users:
            return self if self.users else other
        gap_y, gap_x = other.y.mean - self.y.mean, other.x.mean - self.x.mean
        weight = self.users * other.users / users

        def joined(mine: float, theirs: float, between: float) -> float:
            within = (self.users - 1) * mine + (other.users - 1) * theirs
            return (within + weight * between) / (users - 1)

        share = other.users / users
        return PairMoments(
            Moments(users, self.y.mean + share * gap_y, joined(self.y.variance, other.y.variance, gap_y * gap_y)),
            Moments(users, self.x.mean + share * gap_x, joined(self.x.variance, other.x.variance, gap_x * gap_x)),
            joined(self.covariance, other.covariance, gap_y * gap_x),
        )


def shared_cap(*arms: ArrayLike, quantile: float = 0.99) -> float:
    """The value at which to cap all arms alike: a quantile of their values together, so that no arm is cut more."""
    if not 0 < quantile <= 1:
        raise ValueError(f"quantile is {quantile}; give a number in (0, 1].")
    values = np.concatenate([_finite(arm, "values") for arm in arms])
    if not len(values):
        raise ValueError("There are no values to cap; give at least one user.")
    return float(np.quantile(values, quantile))


def _finite(values: ArrayLike, name: str) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or infinite numbers or has shape {array.shape}; give one number per user.")
    return array


def _mean(array: Floats) -> float:
    return float(array.mean()) if len(array) else 0.0


def _covariance(y: Floats, x: Floats) -> float:
    if len(y) < 2:
        return 0.0
    return float((y - y.mean()) @ (x - x.mean()) / (len(y) - 1))


def _centered(users: int, total_y: float, total_x: float, products: float, least: float = 0.0) -> float:
    """(Co)variance from sums; what cancellation leaves below zero of a variance is rounding, not information."""
    found = (products - total_y / users * total_x) / (users - 1)
    slack = 1e-9 * abs(products) / (users - 1)
    return max(found, least) if found > least - slack else found
