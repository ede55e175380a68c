"""Several variants against one control: corrected for their number, and whether one may be called the winner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, TypeVar

import numpy as np
from scipy import stats

from models_ml.experiments.assignment import AllocationCheck
from models_ml.experiments.inference import Comparison, Estimate
from models_ml.reasons import NotComputable, Reason

Arm_contra = TypeVar("Arm_contra", contravariant=True)


class Compare(Protocol[Arm_contra]):
    """One of the ``compare_…`` functions."""

    def __call__(
        self, treatment: Arm_contra, control: Arm_contra, *, confidence: float, planned_users: int | None
    ) -> Comparison | NotComputable:
        """Compare one variant with the control."""


def compare_variants(
    compare: Compare[Arm_contra],
    variants: Mapping[str, Arm_contra],
    control: Arm_contra,
    *,
    correction: Literal["holm", "benjamini_hochberg"] = "holm",
    confidence: float = 0.95,
    planned_users: int | None = None,
) -> dict[str, Comparison | NotComputable]:
    """Compare every variant with the control, with p-values adjusted for their number.

    ``holm`` (1979) bounds the chance of any false discovery, ``benjamini_hochberg`` (1995) their expected share. Each interval is widened by as much as its p-value was raised, so that it leaves out zero exactly when the
    adjusted p-value is significant. Variants without a result don't count. Raises ValueError for an unknown correction.
    """
    if correction not in ("holm", "benjamini_hochberg"):
        raise ValueError(f"correction is {correction!r}; give 'holm' or 'benjamini_hochberg'.")
    found = {
        name: compare(arm, control, confidence=confidence, planned_users=planned_users)
        for name, arm in variants.items()
    }
    p_values = {name: each.difference.p_value for name, each in found.items() if isinstance(each, Comparison)}
    if not p_values:
        return found
    alone = list(p_values.values())
    adjusted = _holm(alone) if correction == "holm" else stats.false_discovery_control(alone).tolist()
    for (name, p_value), raised in zip(p_values.items(), adjusted, strict=True):
        factor = raised / p_value if p_value > 0 else len(p_values)
        wider = compare(variants[name], control, confidence=1 - (1 - confidence) / factor, planned_users=planned_users)
        if isinstance(wider, Comparison):
            found[name] = _adjusted(wider, raised, confidence, correction)
    return found


@dataclass(frozen=True)
class Winner:
    """The ``variant`` to keep ("control" when no variant is better), and why in words."""

    variant: str
    details: str


def pick_winner(
    comparisons: Mapping[str, Comparison | NotComputable],
    allocation: AllocationCheck | NotComputable,
    *,
    horizon_reached: bool,
) -> Winner | NotComputable:
    """The variant with the largest significant gain, once both guards let it pass (spec 04-models).

    The guards: users were allocated as planned; and the answer may be read now, because the planned number of users is
    reached or the intervals are confidence sequences. "Better" is a larger rate or mean.

    Reasons: sample_ratio_mismatch, too_few_customers (too early), no_data, no_variation (nothing significant yet).
    """
    if isinstance(allocation, NotComputable):
        return allocation
    if not allocation.is_sound:
        details = f"Users are not allocated as planned (p = {allocation.p_value:.2g}); mend that and start again."
        return NotComputable(Reason.SAMPLE_RATIO_MISMATCH, details)
    known = {name: each for name, each in comparisons.items() if isinstance(each, Comparison)}
    if not known:
        return NotComputable(Reason.NO_DATA, "No variant could be compared.")
    if not horizon_reached and not all(each.is_always_valid for each in known.values()):
        return NotComputable(
            Reason.TOO_FEW_CUSTOMERS, "The planned number of users is not reached, and the intervals hold only there."
        )
    better = {name: each.difference for name, each in known.items() if each.difference.low > 0}
    if better:
        best = max(better, key=lambda name: better[name].value)
        return Winner(best, f"{best} gains {better[best].value:.4g} (at least {better[best].low:.4g}).")
    if len(known) == len(comparisons) and all(each.difference.high < 0 for each in known.values()):
        return Winner("control", "Every variant is worse than the control.")
    return NotComputable(Reason.NO_VARIATION, "No variant differs from the control by more than chance would make it.")


def _holm(p_values: Sequence[float]) -> list[float]:
    """Step-down adjusted p-values; by hand, as statsmodels collects garbage for a tenth of a second at every call."""
    order = np.argsort(p_values)
    steps = np.maximum.accumulate(np.arange(len(order), 0, -1) * np.asarray(p_values)[order])
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(steps, 1.0)
    return [float(each) for each in adjusted]


def _adjusted(comparison: Comparison, p_value: float, confidence: float, correction: str) -> Comparison:
    def told(estimate: Estimate) -> Estimate:
        method = f"{estimate.method}, {correction}"
        return replace(estimate, p_value=p_value, confidence=confidence, method=method)

    relative = comparison.relative
    return replace(
        comparison,
        difference=told(comparison.difference),
        relative=relative if isinstance(relative, NotComputable) else told(relative),
    )
