"""What a campaign caused, by its holdout: incremental conversions, their share, and net incremental revenue."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from models_ml.experiments.assignment import check_sample_ratio
from models_ml.experiments.inference import Comparison, Estimate
from models_ml.experiments.means import compare_means
from models_ml.experiments.proportions import compare_conversions, newcombe_difference, ratio_limits
from models_ml.experiments.samples import Conversions, Moments
from models_ml.reasons import NotComputable, Reason


@dataclass(frozen=True)
class Incrementality:
    """The effect of a campaign on whether its treated users convert (metrics 18, 19 and 20).

    ``rates``: the comparison of conversion rates; its difference is metric 19. ``expected``: conversions that the treated
    users would have made anyway. ``conversions``: what the campaign added. ``share``: the added part of the treated users'
    conversions, 0..1 (metric 18 in percent). ``net_revenue``: added conversions at the average order value, less spend
    (metric 20). All are one inference in four units; the p-value of ``net_revenue`` is that of breaking even.
    """

    rates: Comparison
    expected: float
    conversions: Estimate
    share: Estimate | NotComputable
    net_revenue: Estimate


def measure_incrementality(
    treatment: Conversions,
    holdout: Conversions,
    *,
    average_order_value: float,
    spend: float,
    holdout_share: float | None = None,
    confidence: float = 0.95,
) -> Incrementality | NotComputable:
    """Read a campaign's holdout: users who converted among the treated and among those from whom it was withheld.

    ``holdout_share``: the part that was meant to be held out; given, a mismatch makes the answer a reason, not a number.
    Reasons: no_holdout, no_data, sample_ratio_mismatch, no_conversions, too_few_conversions, no_variation.
    """
    if not (average_order_value > 0 and math.isfinite(average_order_value) and 0 <= spend < math.inf):
        raise ValueError(
            f"average_order_value is {average_order_value}, spend {spend}; the value is positive, spend is not negative."
        )
    reason = _why_not(treatment.users, holdout.users, holdout_share)
    if reason:
        return reason
    rates = compare_conversions(treatment, holdout, confidence=confidence)
    if isinstance(rates, NotComputable):
        return rates
    added = rates.difference.times(treatment.users)
    gross = added.times(average_order_value)
    breaking_even = spend / (average_order_value * treatment.users)
    tested = newcombe_difference(treatment, holdout, confidence=confidence, null=breaking_even)
    return Incrementality(
        rates=rates,
        expected=holdout.rate * treatment.users,
        conversions=added,
        share=_share(treatment, holdout, rates.difference),
        net_revenue=replace(tested, value=gross.value - spend, low=gross.low - spend, high=gross.high - spend),
    )


def measure_incremental_revenue(
    treatment: Moments,
    holdout: Moments,
    *,
    spend: float = 0.0,
    holdout_share: float | None = None,
    confidence: float = 0.95,
) -> Estimate | NotComputable:
    """Revenue that a campaign added to its treated users, less spend, from revenue per user (Welch).

    Unlike ``net_revenue`` of :class:`Incrementality` it also sees larger orders, and its interval their variation. Its
    p-value is that of breaking even. Reasons: no_holdout, no_data, sample_ratio_mismatch, too_few_customers, no_variation.
    """
    if not 0 <= spend < math.inf:
        raise ValueError(f"spend is {spend}; give a finite amount that is not negative.")
    reason = _why_not(treatment.users, holdout.users, holdout_share)
    if reason:
        return reason
    # Spread over the treated users, spend moves the difference and nothing else.
    shifted = replace(treatment, mean=treatment.mean - spend / treatment.users)
    compared = compare_means(shifted, holdout, confidence=confidence)
    return compared if isinstance(compared, NotComputable) else compared.difference.times(treatment.users)


def _why_not(treated: int, held_out: int, holdout_share: float | None) -> NotComputable | None:
    if not treated:
        return NotComputable(Reason.NO_DATA, "The campaign treated no users.")
    if not held_out:
        return NotComputable(Reason.NO_HOLDOUT, f"The campaign treated {treated:,} users and held out none.")
    if holdout_share is None:
        return None
    if not 0 < holdout_share < 1:
        raise ValueError(f"holdout_share is {holdout_share}; give the part meant to be held out, between 0 and 1.")
    check = check_sample_ratio([treated, held_out], [1 - holdout_share, holdout_share])
    if isinstance(check, NotComputable) or check.is_sound:
        return None
    found = held_out / (treated + held_out)
    details = f"{found:.2%} are held out, not {holdout_share:.2%} (p = {check.p_value:.2g})."
    return NotComputable(Reason.SAMPLE_RATIO_MISMATCH, details)


def _share(treatment: Conversions, holdout: Conversions, difference: Estimate) -> Estimate | NotComputable:
    """1 − the holdout's rate ÷ the treatment's: how much of what happened would not have happened."""
    if not treatment.conversions:
        return NotComputable(Reason.NO_CONVERSIONS, "None of the treated users converted.")
    low, high = ratio_limits(holdout, treatment, difference.confidence)
    value = 1 - holdout.rate / treatment.rate
    return replace(difference, value=value, low=1 - high, high=1 - low, method="Newcombe, ratio")
