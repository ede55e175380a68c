"""How revenue answers to spend: concave curves for many campaigns at once, and what one more unit of spend brings.

Spend and revenue are per day, in the base currency. The k-th entry of every array belongs to the k-th campaign.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import signal

Floats = NDArray[np.float64]

_STEPS = 200


class ResponseCurves(Protocol):
    """What the optimizer needs to know of curves: increasing, and concave from ``concave_from`` on."""

    @property
    def concave_from(self) -> Floats:
        """The spend from which each curve is concave; 0 where it is everywhere."""

    def __len__(self) -> int: ...

    def revenue(self, spend: Floats) -> Floats:
        """Revenue at a spend."""

    def marginal(self, spend: Floats) -> Floats:
        """Revenue of one more unit of spend; infinite at 0 where the curve starts upright."""

    def curvature(self, spend: Floats) -> Floats:
        """The derivative of ``marginal``, for positive spend."""

    def demand(self, log_price: float | Floats) -> tuple[Floats, Floats]:
        """The spend at which the marginal revenue is exp(``log_price``), and its derivative by the logarithm of the price.

        One price for all, or one per campaign; both arrays are new and the caller's. Where the marginal revenue is lower everywhere, the spend is ``concave_from`` and the derivative 0.
        """

    def take(self, which: NDArray[np.intp]) -> Self:
        """The curves of some campaigns."""


@dataclass(frozen=True)
class PowerCurves:
    """revenue = ``scale`` · spend ^ ``exponent``, with scale ≥ 0 and 0 < exponent < 1."""

    scale: Floats
    exponent: Floats

    def __post_init__(self) -> None:
        _store(self, scale=self.scale, exponent=self.exponent)
        if not (self.scale >= 0).all() or np.isinf(self.scale).any():
            raise ValueError("A scale is negative, infinite or NaN; a response curve rises from zero.")
        if not ((self.exponent > 0) & (self.exponent < 1)).all():
            raise ValueError(
                "An exponent is not between 0 and 1; only then does each unit of spend bring less than the last."
            )

    def __len__(self) -> int:
        return len(self.scale)

    @property
    def concave_from(self) -> Floats:
        """Everywhere."""
        return np.zeros(len(self))

    @cached_property
    def _logarithmic(self) -> tuple[Floats, Floats]:
        """The demand in logarithms: log spend = first − second · log price."""
        with np.errstate(divide="ignore"):
            steepness = 1 / (1 - self.exponent)
            return np.log(self.scale * self.exponent) * steepness, steepness

    def revenue(self, spend: Floats) -> Floats:
        """a·s^b."""
        with np.errstate(divide="ignore"):
            return np.asarray(self.scale * np.exp(self.exponent * np.log(spend)))

    def marginal(self, spend: Floats) -> Floats:
        """a·b·s^(b−1)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = self.scale * self.exponent * np.exp((self.exponent - 1) * np.log(spend))
        return np.where(self.scale > 0, slope, 0.0)

    def curvature(self, spend: Floats) -> Floats:
        """a·b·(b−1)·s^(b−2)."""
        return np.asarray((self.exponent - 1) * self.marginal(spend) / spend)

    def demand(self, log_price: float | Floats) -> tuple[Floats, Floats]:
        """(a·b/price)^(1/(1−b))."""
        first, second = self._logarithmic
        spend = second * -log_price
        spend += first
        with np.errstate(over="ignore"):
            np.exp(spend, out=spend)
        return spend, -second * spend

    def take(self, which: NDArray[np.intp]) -> PowerCurves:
        """The curves of some campaigns."""
        return PowerCurves(self.scale[which], self.exponent[which])


@dataclass(frozen=True)
class HillCurves:
    """revenue = ``top`` · spend^``slope`` ÷ (``half``^slope + spend^slope): saturates at ``top``, half of it at ``half``.

    With a slope above 1 it is S-shaped, and concave from ``half``·((slope − 1)/(slope + 1))^(1/slope) on.
    """

    top: Floats
    half: Floats
    slope: Floats

    def __post_init__(self) -> None:
        _store(self, top=self.top, half=self.half, slope=self.slope)
        finite = np.isfinite(self.top) & np.isfinite(self.half) & np.isfinite(self.slope)
        if not (finite & (self.top >= 0) & (self.half > 0) & (self.slope > 0)).all():
            raise ValueError("A Hill curve needs top ≥ 0, half > 0 and slope > 0, all finite.")

    def __len__(self) -> int:
        return len(self.top)

    @property
    def concave_from(self) -> Floats:
        """The inflection of S-shaped curves."""
        bend = np.maximum(self.slope - 1, 0) / (self.slope + 1)
        return np.asarray(self.half * bend ** (1 / self.slope))

    def _filled(self, spend: Floats) -> Floats:
        """The part of ``top`` that is reached."""
        power = (spend / self.half) ** self.slope
        return np.asarray(power / (1 + power))

    def revenue(self, spend: Floats) -> Floats:
        """The curve."""
        return self.top * self._filled(spend)

    def marginal(self, spend: Floats) -> Floats:
        """top·slope·f·(1−f)/s with f the part that is reached."""
        filled = self._filled(spend)
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = self.top * self.slope * filled * (1 - filled) / spend
        start = np.select([self.slope < 1, self.slope == 1], [np.inf, self.top / self.half], 0.0)
        return np.where(self.top > 0, np.where(spend > 0, slope, start), 0.0)

    def curvature(self, spend: Floats) -> Floats:
        """marginal·(slope·(1 − 2f) − 1)/s."""
        return np.asarray(self.marginal(spend) * (self.slope * (1 - 2 * self._filled(spend)) - 1) / spend)

    def demand(self, log_price: float | Floats) -> tuple[Floats, Floats]:
        """By Newton steps; there is no closed form."""
        return _demand(self, log_price)

    def take(self, which: NDArray[np.intp]) -> HillCurves:
        """The curves of some campaigns."""
        return HillCurves(self.top[which], self.half[which], self.slope[which])


@dataclass(frozen=True)
class CarryOverCurves:
    """The mean daily revenue over the next ``days`` at a constant spend, when spend works on for some time.

    What works on day t is s·(1 − θ^t) + ``carried``·θ^t, with θ = ``retention`` of one day and ``carried`` what still works of
    the spend before the period (the last row of :func:`adstock`). ``curves`` answer to what works. Carry-over
    beyond the period is not counted.
    """

    curves: PowerCurves | HillCurves
    retention: float
    carried: Floats
    days: int

    def __post_init__(self) -> None:
        _store(self, carried=self.carried)
        if not (0 <= self.retention < 1 and self.days >= 1):
            raise ValueError(
                f"retention is {self.retention}, days {self.days}; give 0 ≤ retention < 1 and a day or more."
            )
        if len(self.carried) != len(self.curves) or not (np.isfinite(self.carried) & (self.carried >= 0)).all():
            raise ValueError(
                f"carried has {len(self.carried)} entries for {len(self.curves)} curves, or one below zero."
            )

    def __len__(self) -> int:
        return len(self.curves)

    @property
    def concave_from(self) -> Floats:
        """Where even the first day is past the inflection."""
        remembered = self.retention ** np.arange(1, self.days + 1)[:, np.newaxis]
        needed = (self.curves.concave_from - self.carried * remembered) / (1 - remembered)
        return np.asarray(np.maximum(needed, 0).max(axis=0))

    def _remembered(self) -> list[float]:
        return [self.retention**day for day in range(1, self.days + 1)]

    def revenue(self, spend: Floats) -> Floats:
        """Mean over the days."""
        total = np.zeros(len(self))
        for part in self._remembered():
            total += self.curves.revenue(spend * (1 - part) + self.carried * part)
        return total / self.days

    def marginal(self, spend: Floats) -> Floats:
        """Mean over the days."""
        total = np.zeros(len(self))
        for part in self._remembered():
            total += (1 - part) * self.curves.marginal(spend * (1 - part) + self.carried * part)
        return total / self.days

    def curvature(self, spend: Floats) -> Floats:
        """Mean over the days."""
        total = np.zeros(len(self))
        for part in self._remembered():
            total += (1 - part) ** 2 * self.curves.curvature(spend * (1 - part) + self.carried * part)
        return total / self.days

    def demand(self, log_price: float | Floats) -> tuple[Floats, Floats]:
        """By Newton steps; there is no closed form."""
        return _demand(self, log_price)

    def take(self, which: NDArray[np.intp]) -> CarryOverCurves:
        """The curves of some campaigns."""
        return CarryOverCurves(self.curves.take(which), self.retention, self.carried[which], self.days)


def adstock(spend: ArrayLike, retention: float, carried: ArrayLike = 0.0) -> Floats:
    """The spend that works each day, when ``retention`` of what worked yesterday works on (geometric adstock, Broadbent 1979).

    ``spend``: days × campaigns; ``carried``: what worked on the day before the first. Normalized: (1 − θ)·spend +
    θ·yesterday's, so that a constant spend works as itself. The last row is what is carried into the next period.
    """
    matrix = np.asarray(spend, dtype=np.float64)
    if matrix.ndim != 2 or not (np.isfinite(matrix) & (matrix >= 0)).all():
        raise ValueError(
            f"spend has shape {matrix.shape} or holds a negative or missing number; give days × campaigns."
        )
    if not 0 <= retention < 1:
        raise ValueError(f"retention is {retention}; give the part that works on the next day, 0 up to but not 1.")
    held = np.asarray(carried, dtype=np.float64)
    if held.shape not in ((), matrix.shape[1:]) or not (np.isfinite(held) & (held >= 0)).all():
        raise ValueError(
            f"carried has shape {held.shape} or a negative or missing number; give one per campaign, or 0."
        )
    before = retention * np.broadcast_to(held, matrix.shape[1:])
    found, _ = signal.lfilter([1 - retention], [1, -retention], matrix, axis=0, zi=before[np.newaxis])
    return np.asarray(found)


def _store(curves: object, **arrays: ArrayLike) -> None:
    """Keep the arrays as equally long ones of floats."""
    found = {name: np.atleast_1d(np.asarray(each, dtype=np.float64)) for name, each in arrays.items()}
    if len({each.shape for each in found.values()}) != 1 or next(iter(found.values())).ndim != 1:
        shapes = ", ".join(f"{name} {each.shape}" for name, each in found.items())
        raise ValueError(f"Shapes differ: {shapes}; give one number per campaign.")
    for name, each in found.items():
        object.__setattr__(curves, name, each)


def _demand(curves: HillCurves | CarryOverCurves, log_price: float | Floats) -> tuple[Floats, Floats]:
    """Invert the marginal revenue: Newton in logarithms, where it is nearly straight, kept within a shrinking bracket."""
    price = np.exp(log_price)
    start = curves.concave_from
    bought = curves.marginal(start) > price
    low, high = start.copy(), np.maximum(2 * start, 1.0)
    for _ in range(_STEPS):
        short = bought & (curves.marginal(high) > price)
        if not short.any():
            break
        low, high = np.where(short, high, low), np.where(short, 4 * high, high)
    spend = np.where(low > 0, np.sqrt(low * high), high / 2)
    for _ in range(_STEPS):
        marginal = curves.marginal(spend)
        low, high = np.where(marginal > price, spend, low), np.where(marginal > price, high, spend)
        with np.errstate(all="ignore"):
            newton = spend * np.exp((log_price - np.log(marginal)) * marginal / (spend * curves.curvature(spend)))
        inside = (newton > low) & (newton < high)
        moved = np.where(inside, newton, (low + high) / 2)
        done = np.abs(moved - spend) <= 1e-14 * spend
        spend = moved
        if (done | ~bought).all():
            break
    found = np.where(bought, spend, start)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.where(bought, curves.marginal(found) / curves.curvature(found), 0.0)
    return found, slope
