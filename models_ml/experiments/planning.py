"""Before an experiment: how many users it needs, what it could detect, and how long it takes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from scipy import optimize, stats


@dataclass(frozen=True)
class SampleSize:
    """Users needed in each arm."""

    treatment: int
    control: int

    def __post_init__(self) -> None:
        if min(self.treatment, self.control) < 1:
            raise ValueError(
                f"{self.treatment} and {self.control} users make no experiment; give each arm at least one."
            )

    @property
    def total(self) -> int:
        """Users of both arms."""
        return self.treatment + self.control

    def days(self, users_per_day: float, *, whole_weeks: bool = True) -> int:
        """Days until that many users have come; rounded up to whole weeks, as weekdays differ, unless told otherwise."""
        if not users_per_day > 0:
            raise ValueError(f"users_per_day is {users_per_day}; give how many new users enter the experiment a day.")
        days = math.ceil(self.total / users_per_day)
        return 7 * math.ceil(days / 7) if whole_weeks else days


def size_for_conversions(
    base_rate: float,
    lift: float,
    *,
    power: float = 0.8,
    confidence: float = 0.95,
    treatment_share: float = 0.5,
    form: Literal["normal", "arcsine"] = "normal",
) -> SampleSize:
    """Users needed to see a relative ``lift`` (0.1 is +10 %) of a conversion rate with two-sided tests.

    ``normal``: variance pooled under the null, separate under the alternative (Fleiss, Levin and Paik 2003, without
    continuity correction). ``arcsine``: Cohen 1988. 5 % and +10 % need 31,234 and 31,218 per arm.
    """
    rate = _lifted(base_rate, lift)
    odds = _odds(treatment_share)
    for_error, for_power = _quantiles(confidence, power)
    if form not in ("normal", "arcsine"):
        raise ValueError(f"form is {form!r}; give 'normal' or 'arcsine'.")
    if form == "arcsine":
        effect = 2 * (math.asin(math.sqrt(rate)) - math.asin(math.sqrt(base_rate)))
        control = (for_error + for_power) ** 2 * (1 + 1 / odds) / effect**2
    else:
        null, alternative = _deviations(base_rate, rate, odds)
        control = ((for_error * null + for_power * alternative) / (rate - base_rate)) ** 2
    return SampleSize(treatment=math.ceil(control * odds), control=math.ceil(control))


def size_for_means(
    mean: float,
    deviation: float,
    lift: float,
    *,
    power: float = 0.8,
    confidence: float = 0.95,
    treatment_share: float = 0.5,
    correlation: float = 0.0,
) -> SampleSize:
    """Users needed to see a relative ``lift`` of a mean per user whose standard deviation is ``deviation``, by the normal form.

    ``correlation`` with the pre-period: CUPED lowers the variance by its square.
    """
    if not (mean > 0 and deviation > 0 and lift != 0):
        raise ValueError(
            f"mean is {mean}, deviation {deviation}, lift {lift}; mean and deviation are positive, lift not 0."
        )
    if not -1 < correlation < 1:
        raise ValueError(f"correlation is {correlation}; give a number between -1 and 1.")
    odds = _odds(treatment_share)
    variance = deviation**2 * (1 - correlation**2)
    control = sum(_quantiles(confidence, power)) ** 2 * variance * (1 + 1 / odds) / (mean * lift) ** 2
    return SampleSize(treatment=math.ceil(control * odds), control=math.ceil(control))


def power_for_conversions(base_rate: float, lift: float, size: SampleSize, *, confidence: float = 0.95) -> float:
    """Chance to find a lift that is there; the inverse of the ``normal`` form of :func:`size_for_conversions`."""
    rate = _lifted(base_rate, lift)
    null, alternative = _deviations(base_rate, rate, size.treatment / size.control)
    critical, _ = _quantiles(confidence, 0.5)
    gap = abs(rate - base_rate) * math.sqrt(size.control)
    return float(stats.norm.cdf((gap - critical * null) / alternative))


def detectable_lift(base_rate: float, size: SampleSize, *, power: float = 0.8, confidence: float = 0.95) -> float:
    """The smallest positive relative lift of a conversion rate that is found with ``power``.

    Raises ValueError when not even a rate of 100 % would be.
    """
    if not 0 < base_rate < 1:
        raise ValueError(f"base_rate is {base_rate}; give a number between 0 and 1.")
    most = (1 - base_rate) / base_rate * (1 - 1e-12)

    def shortfall(lift: float) -> float:
        return power - power_for_conversions(base_rate, lift, size, confidence=confidence)

    if shortfall(most) > 0:
        raise ValueError(f"{size.total} users can't detect any lift of a rate of {base_rate}; give more users.")
    return float(optimize.brentq(shortfall, most * 1e-9, most, xtol=1e-12))


def _lifted(base_rate: float, lift: float) -> float:
    rate = base_rate * (1 + lift)
    if not (0 < base_rate < 1 and 0 < rate < 1 and lift != 0):
        raise ValueError(f"base_rate is {base_rate} and lift {lift}; both rates lie between 0 and 1, and differ.")
    return rate


def _odds(treatment_share: float) -> float:
    if not 0 < treatment_share < 1:
        raise ValueError(f"treatment_share is {treatment_share}; give a number between 0 and 1, such as 0.9.")
    return treatment_share / (1 - treatment_share)


def _quantiles(confidence: float, power: float) -> tuple[float, float]:
    if not (0 < confidence < 1 and 0 < power < 1):
        raise ValueError(f"confidence is {confidence} and power {power}; both lie between 0 and 1.")
    return float(stats.norm.isf((1 - confidence) / 2)), float(stats.norm.ppf(power))


def _deviations(base_rate: float, rate: float, odds: float) -> tuple[float, float]:
    """Standard deviations of the difference per control user, under the null and under the alternative."""
    pooled = (base_rate + odds * rate) / (1 + odds)
    null = math.sqrt(pooled * (1 - pooled) * (1 + 1 / odds))
    return null, math.sqrt(base_rate * (1 - base_rate) + rate * (1 - rate) / odds)
