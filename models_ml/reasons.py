"""Why a result can't be computed: given in its place, never a NaN, a zero or a clipped number (spec 04-models)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """What stands in the way; the value is what tables and messages show."""

    INFINITE_MEAN = "infinite_mean"
    NO_CONTROL = "no_control"
    NO_CONVERSIONS = "no_conversions"
    NO_DATA = "no_data"
    NO_HOLDOUT = "no_holdout"
    NO_REPEAT_PURCHASES = "no_repeat_purchases"
    NO_TOUCH_TIMES = "no_touch_times"
    NO_VARIATION = "no_variation"
    NOT_CONVERGED = "not_converged"
    ONE_CLASS_ONLY = "one_class_only"
    SAMPLE_RATIO_MISMATCH = "sample_ratio_mismatch"
    TOO_FEW_CONVERSIONS = "too_few_conversions"
    TOO_FEW_CUSTOMERS = "too_few_customers"
    TOO_SHORT_HISTORY = "too_short_history"
    ZERO_BASELINE = "zero_baseline"


@dataclass(frozen=True)
class NotComputable:
    """A result that there is none, and why: ``details`` says it in words, with the figures."""

    reason: Reason
    details: str
