"""What an experiment says: an estimate whose interval and p-value are two views of one inference.

Every interval here is made of the same ingredients as the p-value beside it: it leaves out zero exactly when the p-value
is below 1 − ``confidence``. The relative lift is read off the same inference as the difference (Fieller 1954), so
that the two scales never disagree either.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from scipy import stats

from models_ml.reasons import NotComputable, Reason


@dataclass(frozen=True)
class Estimate:
    """A value, its interval and the two-sided p-value of "it is zero", by one ``method``.

    ``statistic`` is the distance from zero in standard errors (z or t). ``method`` says whether the inference holds at
    one look that was fixed in advance, or at every look (``confidence sequence``).
    """

    value: float
    low: float
    high: float
    p_value: float
    statistic: float
    confidence: float
    method: str

    @property
    def is_significant(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.p_value < 1 - self.confidence

    def times(self, factor: float) -> Estimate:
        """The same inference in another unit: ``factor`` > 0 of them for one."""
        if not (factor > 0 and math.isfinite(factor)):
            raise ValueError(f"factor is {factor}; a change of unit multiplies by a finite positive number.")
        scaled = {name: factor * getattr(self, name) for name in ("value", "low", "high")}
        return Estimate(
            **scaled,
            p_value=self.p_value,
            statistic=self.statistic,
            confidence=self.confidence,
            method=self.method,
        )


@dataclass(frozen=True)
class Comparison:
    """Treatment against control: their rates or means, the ``difference``, and the ``relative`` lift (0.1 is +10 %).

    ``is_always_valid`` says that looking early and often is allowed.
    """

    treatment: float
    control: float
    difference: Estimate
    relative: Estimate | NotComputable
    is_always_valid: bool


class Yardstick(Protocol):
    """How far from zero a standardized difference must lie, and how surprising one is; each the other's inverse."""

    def critical(self, confidence: float) -> float:
        """The distance beyond which zero is left out of the interval."""

    def p_value(self, statistic: float) -> float:
        """The p-value of a standardized difference."""


@dataclass(frozen=True)
class FixedHorizon:
    """Student's t with ``degrees`` of freedom, for one look at a time that was fixed in advance."""

    degrees: float
    method: str = "Welch t"

    def critical(self, confidence: float) -> float:
        """Quantile of |t|."""
        return float(stats.t.isf((1 - confidence) / 2, self.degrees))

    def p_value(self, statistic: float) -> float:
        """Two-sided tail."""
        return float(2 * stats.t.sf(abs(statistic), self.degrees))


@dataclass(frozen=True)
class EveryLook:
    """A confidence sequence: however often one looks, and whenever one stops, it errs in at most 1 − confidence of all tests.

    Written by hand, since no kept library has it: the normal-mixture boundary (Robbins 1970) as asymptotic confidence
    sequence (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2024), which is the mixture sequential test of
    Johari, Koomen, Pekelis and Walsh 2022. ``users`` have been seen; it is tightest at ``planned_users``. The mixture
    is tuned at 95 %, whatever the confidence, so that p-value and interval belong to the same test.
    """

    users: int
    planned_users: int
    method: str = "confidence sequence"

    @property
    def _spread(self) -> float:
        """ρ² times the users seen, with the ρ that makes the sequence about tightest when all planned users are."""
        reach = 2 * math.log(1 / 0.05)
        return (reach + math.log(reach + 1)) * self.users / self.planned_users

    def critical(self, confidence: float) -> float:
        """Half-width in standard errors."""
        spread = self._spread
        reach = 2 * math.log(1 / (1 - confidence)) + math.log1p(spread)
        return math.sqrt((1 + spread) / spread * reach)

    def p_value(self, statistic: float) -> float:
        """One over the mixture's likelihood ratio, at most 1."""
        spread = self._spread
        evidence = 0.5 * (statistic * statistic * spread / (1 + spread) - math.log1p(spread))
        return math.exp(-max(evidence, 0.0))


def compare_normal(
    treatment: tuple[float, float],
    control: tuple[float, float],
    yardstick: FixedHorizon | EveryLook,
    confidence: float,
) -> Comparison:
    """Compare two independent, nearly normal estimates, each given as (value, its variance > 0 in at least one arm).

    The relative lift is Fieller's; it has a reason instead when the control is not clearly above zero.
    """
    _check_confidence(confidence)
    (mean, variance), (base, base_variance) = treatment, control
    error = math.sqrt(variance + base_variance)
    gap = mean - base
    statistic, reach = gap / error, yardstick.critical(confidence)
    p_value = yardstick.p_value(statistic)
    difference = Estimate(
        gap, gap - reach * error, gap + reach * error, p_value, statistic, confidence, yardstick.method
    )
    relative: Estimate | NotComputable = NotComputable(
        Reason.ZERO_BASELINE,
        f"The control's mean {base:.6g} is not clearly above zero (standard error {math.sqrt(base_variance):.3g}).",
    )
    if base > 0 and base > reach * math.sqrt(base_variance):
        low, high = _fieller(mean, reach * reach * variance, base, reach * reach * base_variance)
        relative = Estimate(
            mean / base - 1, low - 1, high - 1, p_value, statistic, confidence, f"{yardstick.method}, Fieller"
        )
    return Comparison(mean, base, difference, relative, isinstance(yardstick, EveryLook))


def yardstick_for(users: int, planned_users: int | None, degrees: float) -> FixedHorizon | EveryLook:
    """The fixed-horizon yardstick, or with ``planned_users`` the one for every look."""
    if planned_users is None:
        return FixedHorizon(degrees)
    if planned_users <= 0:
        raise ValueError(f"planned_users is {planned_users}; give the number of users at which you expect to decide.")
    return EveryLook(users, planned_users)


def _fieller(mean: float, slack: float, base: float, base_slack: float) -> tuple[float, float]:
    """All ratios r with (mean − r·base)² ≤ slack + r²·base_slack, for base² > base_slack."""
    square = base * base - base_slack
    middle = mean * base
    root = math.sqrt(max(middle * middle - square * (mean * mean - slack), 0.0))
    return (middle - root) / square, (middle + root) / square


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}; give a number between 0 and 1, such as 0.95.")
