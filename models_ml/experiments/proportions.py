"""Conversion rates of two arms: the z-test, Newcombe's interval, the log-delta lift, and the comparison to decide by."""

from __future__ import annotations

import math
from functools import lru_cache

from scipy import optimize, special

from models_ml.experiments.inference import Comparison, Estimate, compare_normal, yardstick_for
from models_ml.experiments.samples import Conversions, Moments
from models_ml.reasons import NotComputable, Reason

LEAST_CONVERSIONS = 10
"""Of both arms together; below it hardly any difference could be told, and normal approximations are off."""


def compare_conversions(
    treatment: Conversions, control: Conversions, *, confidence: float = 0.95, planned_users: int | None = None
) -> Comparison | NotComputable:
    """Compare the conversion rates of two arms.

    At one look: Newcombe's hybrid score interval (1998, method 10) of the difference; the relative lift from the same
    Wilson limits (MOVER: Donner and Zou 2012); the p-value is the error probability at which that interval touches zero.
    With ``planned_users`` (of both arms together): a confidence sequence, valid at every look.

    Reasons: no_control, no_data, no_conversions, too_few_conversions, no_variation; for the relative lift zero_baseline.
    """
    reason = why_not_comparable(treatment, control)
    if reason:
        return reason
    if planned_users is not None:
        yardstick = yardstick_for(treatment.users + control.users, planned_users, math.inf)
        sides = [(arm.rate, _cautious_variance(arm)) for arm in (treatment, control)]
        return compare_normal(sides[0], sides[1], yardstick, confidence)
    difference = newcombe_difference(treatment, control, confidence=confidence)
    relative: Estimate | NotComputable = NotComputable(
        Reason.ZERO_BASELINE, f"None of the control's {control.users:,} users converted."
    )
    if control.conversions:
        low, high = ratio_limits(treatment, control, confidence)
        relative = Estimate(
            value=treatment.rate / control.rate - 1,
            low=low - 1,
            high=high - 1,
            p_value=difference.p_value,
            statistic=difference.statistic,
            confidence=confidence,
            method="Newcombe, ratio",
        )
    return Comparison(treatment.rate, control.rate, difference, relative, is_always_valid=False)


def why_not_comparable(treatment: Conversions, control: Conversions) -> NotComputable | None:
    """The reason why the rates of two arms can't be compared, or None."""
    if not treatment.users:
        return NotComputable(Reason.NO_DATA, "The treatment has no users.")
    if not control.users:
        return NotComputable(Reason.NO_CONTROL, "The control has no users.")
    both = treatment + control
    if not both.conversions:
        return NotComputable(Reason.NO_CONVERSIONS, f"None of {both.users:,} users converted.")
    if both.conversions == both.users:
        return NotComputable(Reason.NO_VARIATION, f"All of {both.users:,} users converted.")
    if both.conversions < LEAST_CONVERSIONS:
        details = f"{both.conversions} conversions in both arms together; {LEAST_CONVERSIONS} are needed."
        return NotComputable(Reason.TOO_FEW_CONVERSIONS, details)
    return None


def newcombe_difference(
    treatment: Conversions, control: Conversions, *, confidence: float = 0.95, null: float = 0.0
) -> Estimate:
    """Newcombe's hybrid score interval (1998, method 10) of the difference of rates, treatment − control.

    Statsmodels gives the interval, but no p-value with it: here the p-value of "the difference is ``null``" is the error
    probability at which the interval's end reaches ``null``; for a ``null`` that no rates can reach it is 0 and the
    statistic infinite. Both arms need users.
    """
    gap = treatment.rate - control.rate
    down, up = _newcombe_reach(treatment, control, _critical(confidence))

    def left_over(z: float) -> float:
        downward, upward = _newcombe_reach(treatment, control, z)
        return abs(gap - null) - (downward if gap > null else upward)

    statistic = 0.0
    if gap != null:
        most = 1.0
        while left_over(most) > 0 and most < 1e9:
            most *= 8
        root = optimize.brentq(left_over, 0.0, most, xtol=1e-13) if left_over(most) <= 0 else math.inf
        statistic = math.copysign(root, gap - null)
    p_value = _two_sided(statistic)
    return Estimate(gap, gap - down, gap + up, p_value, statistic, confidence, "Newcombe")


def z_test(treatment: Conversions, control: Conversions, *, confidence: float = 0.95) -> Estimate | NotComputable:
    """The two-proportion z-test with pooled variance, and the interval that inverts it (Mee 1984).

    By hand: statsmodels' inversion breaks off where an arm has no conversions or nothing else.
    Reasons as for :func:`compare_conversions`.
    """
    reason = why_not_comparable(treatment, control)
    if reason:
        return reason
    gap, statistic = treatment.rate - control.rate, _pooled_z(treatment, control)
    low, high = _score_limits(treatment, control, _critical(confidence))
    return Estimate(gap, low, high, _two_sided(statistic), statistic, confidence, "z-test, score interval")


def z_test_p_value(treatment: Conversions, control: Conversions) -> float | NotComputable:
    """The p-value of :func:`z_test` alone, without the search for its interval. Reasons as there."""
    return why_not_comparable(treatment, control) or _two_sided(_pooled_z(treatment, control))


def log_delta_lift(
    treatment: Conversions | Moments, control: Conversions | Moments, *, confidence: float = 0.95
) -> Estimate | NotComputable:
    """Relative lift by the delta method on its logarithm (Katz et al. 1978 for rates): symmetric in log(1 + lift).

    An inference of its own, with its own p-value. Reasons: no_control, no_data, zero_baseline, no_variation.
    """
    for arm, reason in ((treatment, Reason.NO_DATA), (control, Reason.NO_CONTROL)):
        if not arm.users:
            return NotComputable(reason, "An arm has no users.")
    (rate, variance), (base, base_variance) = _mean_and_variance(treatment), _mean_and_variance(control)
    if rate <= 0 or base <= 0:
        return NotComputable(Reason.ZERO_BASELINE, f"The logarithm needs means above zero; they are {rate}, {base}.")
    error = math.sqrt(variance / rate**2 + base_variance / base**2)
    if not error:
        return NotComputable(Reason.NO_VARIATION, "All users of each arm have the same value.")
    logarithm, reach = math.log(rate / base), _critical(confidence) * error
    statistic = logarithm / error
    return Estimate(
        value=math.expm1(logarithm),
        low=math.expm1(logarithm - reach),
        high=math.expm1(logarithm + reach),
        p_value=_two_sided(statistic),
        statistic=statistic,
        confidence=confidence,
        method="log delta",
    )


def ratio_limits(above: Conversions, below: Conversions, confidence: float) -> tuple[float, float]:
    """Limits of the ratio of two rates, ``above`` ÷ ``below``, that leave out 1 exactly when Newcombe's leave out 0.

    They solve (p₁ − r·p₂)² = (reach of p₁)² + r²·(reach of p₂)² with the Wilson limits' reaches towards each other
    (Donner and Zou 2012). ``below`` needs conversions.
    """
    z = _critical(confidence)
    rate, base = above.rate, below.rate
    (low, high), (base_low, base_high) = _wilson(above, z), _wilson(below, z)
    middle = rate * base
    # Written so that neither limit divides by the leading coefficient where it can vanish.
    square, rest = base**2 - (base_high - base) ** 2, rate**2 - (rate - low) ** 2
    lower = rest / (middle + math.sqrt(middle**2 - square * rest)) if rate else 0.0
    square, rest = base**2 - (base - base_low) ** 2, rate**2 - (high - rate) ** 2
    upper = (middle + math.sqrt(middle**2 - square * rest)) / square
    return lower, upper


def _newcombe_reach(treatment: Conversions, control: Conversions, z: float) -> tuple[float, float]:
    """How far the interval reaches below and above the difference."""
    (low, high), (base_low, base_high) = _wilson(treatment, z), _wilson(control, z)
    down = math.hypot(treatment.rate - low, base_high - control.rate)
    up = math.hypot(high - treatment.rate, control.rate - base_low)
    return down, up


def _pooled_z(treatment: Conversions, control: Conversions) -> float:
    pooled = (treatment + control).rate
    return (treatment.rate - control.rate) / math.sqrt(
        pooled * (1 - pooled) * (1 / treatment.users + 1 / control.users)
    )


def _score_limits(treatment: Conversions, control: Conversions, z: float) -> tuple[float, float]:
    """The differences at which the gap is ``z`` standard errors away, each with the rates likeliest under it."""
    gap = treatment.rate - control.rate

    def error(difference: float) -> float:
        base = _likeliest_base(treatment, control, difference)
        rate = min(max(base + difference, 0.0), 1.0)
        return math.sqrt(rate * (1 - rate) / treatment.users + base * (1 - base) / control.users)

    low = optimize.brentq(lambda difference: gap - difference - z * error(difference), -1.0, gap, xtol=1e-14)
    high = optimize.brentq(lambda difference: gap - difference + z * error(difference), gap, 1.0, xtol=1e-14)
    return float(low), float(high)


def _likeliest_base(treatment: Conversions, control: Conversions, difference: float) -> float:
    """The control's rate of largest likelihood when the treatment's is ``difference`` higher: where the score is zero."""
    least, most = max(0.0, -difference), min(1.0, 1.0 - difference)
    failures, base_failures = treatment.users - treatment.conversions, control.users - control.conversions

    def score(base: float) -> float:
        rate = base + difference
        rises = treatment.conversions / rate + control.conversions / base
        return rises - failures / (1 - rate) - base_failures / (1 - base)

    # Within the open range, where no denominator vanishes; the score falls from left to right.
    inner = 1e-12 * (most - least)
    left, right = least + inner, most - inner
    if not left < right or score(left) <= 0:
        return least
    if score(right) >= 0:
        return most
    return float(optimize.brentq(score, left, right, xtol=1e-15))


def _wilson(arm: Conversions, z: float) -> tuple[float, float]:
    """Wilson's score limits; by hand because the p-value needs them at any ``z``, also where its tail underflows."""
    rate, share = arm.rate, z * z / arm.users
    middle = (rate + share / 2) / (1 + share)
    reach = math.sqrt(share * (rate * (1 - rate) + share / 4)) / (1 + share)
    low = 0.0 if arm.conversions == 0 else middle - reach
    high = 1.0 if arm.conversions == arm.users else middle + reach
    return low, high


def _cautious_variance(arm: Conversions) -> float:
    """Of the rate, with half a user more of each kind: at early looks an arm without conversions is not certain of it."""
    rate = (arm.conversions + 0.5) / (arm.users + 1)
    return rate * (1 - rate) / arm.users


def _mean_and_variance(arm: Conversions | Moments) -> tuple[float, float]:
    if isinstance(arm, Moments):
        return arm.mean, arm.variance_of_mean
    return arm.rate, arm.rate * (1 - arm.rate) / arm.users


def _two_sided(statistic: float) -> float:
    return float(2 * special.ndtr(-abs(statistic)))


@lru_cache
def _critical(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}; give a number between 0 and 1, such as 0.95.")
    return float(-special.ndtri((1 - confidence) / 2))
