"""Means per user, such as revenue, and ratios of sums, such as revenue per order: plain, with a pre-period, by strata."""

from __future__ import annotations

from collections.abc import Sequence

from models_ml.experiments.inference import Comparison, compare_normal, yardstick_for
from models_ml.experiments.samples import Moments, PairMoments
from models_ml.reasons import NotComputable, Reason


def compare_means(
    treatment: Moments, control: Moments, *, confidence: float = 0.95, planned_users: int | None = None
) -> Comparison | NotComputable:
    """Compare means per user by Welch's t-test (1947); the relative lift is Fieller's, of the same inference.

    Heavy tails: give moments of values capped at one :func:`shared_cap`; the result is then about capped values.
    With ``planned_users`` (of both arms together) it is a confidence sequence, valid at every look.

    Reasons: no_control, no_data, too_few_customers (fewer than two in an arm), no_variation; for the lift zero_baseline.
    """
    return compare_strata([treatment], [control], confidence=confidence, planned_users=planned_users)


def compare_ratios(
    treatment: PairMoments, control: PairMoments, *, confidence: float = 0.95, planned_users: int | None = None
) -> Comparison | NotComputable:
    """Compare ratios of sums Σy ÷ Σx, where users, not the units of x, were assigned to arms.

    The variance is the delta method's (Deng, Knoblich and Lu 2018): that of the per-user residual (y − ratio·x) ÷ mean x.

    Reasons as for :func:`compare_means`; zero_baseline when an arm's denominator is not above zero.
    """
    sides = []
    for arm in (treatment, control):
        if arm.users and arm.x.mean <= 0:
            return NotComputable(Reason.ZERO_BASELINE, f"The mean denominator of an arm is {arm.x.mean:.6g}.")
        ratio = arm.y.mean / arm.x.mean if arm.users else 0.0
        sides.append(Moments(arm.users, ratio, _residual_variance(arm, ratio) / arm.x.mean**2 if arm.users else 0.0))
    return compare_means(sides[0], sides[1], confidence=confidence, planned_users=planned_users)


def compare_with_cuped(
    treatment: PairMoments, control: PairMoments, *, confidence: float = 0.95, planned_users: int | None = None
) -> Comparison | NotComputable:
    """Compare means of y, less what x of before the experiment foretold (CUPED: Deng, Xu, Kohavi and Walker 2013).

    θ is the slope within arms, so the difference is that of the regression y ~ arm + x. The means shown are those at the
    common mean of x. When x says nothing about y it is :func:`compare_means`. x must not be touched by the treatment.

    Reasons as for :func:`compare_means`.
    """
    arms = (treatment, control)
    within = sum(max(arm.users - 1, 0) * arm.x.variance for arm in arms)
    theta = sum(max(arm.users - 1, 0) * arm.covariance for arm in arms) / within if within > 0 else 0.0
    users = sum(arm.users for arm in arms)
    center = sum(arm.users * arm.x.mean for arm in arms) / users if users else 0.0
    sides = [
        Moments(arm.users, arm.y.mean - theta * (arm.x.mean - center), _residual_variance(arm, theta)) for arm in arms
    ]
    return compare_means(sides[0], sides[1], confidence=confidence, planned_users=planned_users)


def compare_strata(
    treatment: Sequence[Moments],
    control: Sequence[Moments],
    *,
    weights: Sequence[float] | None = None,
    confidence: float = 0.95,
    planned_users: int | None = None,
) -> Comparison | NotComputable:
    """Compare means after stratification: the k-th item of both arms is the k-th stratum.

    A stratum weighs what its users of both arms are of all, unless ``weights`` (positive, of any sum) say otherwise;
    the variance is that given the arms' sizes in the strata, with Welch–Satterthwaite degrees of freedom (Miratrix, Sekhon and
    Yu 2013).

    Reasons as for :func:`compare_means`. Raises ValueError when the arms have different numbers of strata.
    """
    if len(treatment) != len(control) or not treatment:
        raise ValueError(
            f"{len(treatment)} strata in treatment, {len(control)} in control; give the same strata in both."
        )
    reason = _why_not(treatment, control)
    if reason:
        return reason
    sizes = [each.users + other.users for each, other in zip(treatment, control, strict=True)]
    shares = _shares(sizes if weights is None else weights, len(sizes))
    arms = [list(zip(shares, arm, strict=True)) for arm in (treatment, control)]
    means = [sum(share * cell.mean for share, cell in arm) for arm in arms]
    variances = [sum(share**2 * cell.variance_of_mean for share, cell in arm) for arm in arms]
    if not sum(variances):
        return NotComputable(Reason.NO_VARIATION, "All users of a stratum and arm have the same value.")
    curvature = sum((share**2 * cell.variance_of_mean) ** 2 / (cell.users - 1) for arm in arms for share, cell in arm)
    yardstick = yardstick_for(sum(sizes), planned_users, sum(variances) ** 2 / curvature)
    return compare_normal((means[0], variances[0]), (means[1], variances[1]), yardstick, confidence)


def _why_not(treatment: Sequence[Moments], control: Sequence[Moments]) -> NotComputable | None:
    if not sum(cell.users for cell in treatment):
        return NotComputable(Reason.NO_DATA, "The treatment has no users.")
    if not sum(cell.users for cell in control):
        return NotComputable(Reason.NO_CONTROL, "The control has no users.")
    for name, arm in (("treatment", treatment), ("control", control)):
        for number, cell in enumerate(arm):
            if cell.users < 2:
                where = f" in stratum {number}" if len(arm) > 1 else ""
                details = f"The {name} has {cell.users} users{where}; a variance needs two."
                return NotComputable(Reason.TOO_FEW_CUSTOMERS, details)
    return None


def _shares(weights: Sequence[float], strata: int) -> list[float]:
    if len(weights) != strata or min(weights) <= 0:
        raise ValueError(f"weights are {list(weights)}; give one positive weight for each of {strata} strata.")
    return [weight / sum(weights) for weight in weights]


def _residual_variance(arm: PairMoments, slope: float) -> float:
    """Variance of y − slope·x; when x explains all of y, what is left is rounding and counts as zero."""
    found = arm.y.variance - 2 * slope * arm.covariance + slope**2 * arm.x.variance
    return found if found > 1e-13 * (arm.y.variance + slope**2 * arm.x.variance) else 0.0
