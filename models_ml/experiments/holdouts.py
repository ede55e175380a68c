"""The holdouts of all campaigns at once: metrics 18 to 20 of each campaign and of groups of them, as a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from models_ml.experiments.assignment import AllocationCheck, check_balance, check_sample_ratio
from models_ml.experiments.incrementality import Incrementality, measure_incrementality
from models_ml.experiments.inference import Estimate
from models_ml.experiments.proportions import log_delta_lift, z_test
from models_ml.experiments.samples import Conversions
from models_ml.reasons import NotComputable, Reason

COUNTS = (
    "treatment_users",
    "treatment_converted",
    "holdout_users",
    "holdout_converted",
    "both_arms_users",
    "conversions",
)
AMOUNTS = ("treatment_revenue", "holdout_revenue", "revenue", "spend")
WINDOW = ("window_label", "period_start", "period_end", "as_of")

_ESTIMATES = ("incrementality_percent", "holdout_lift_pp", "relative_lift_percent", "net_incremental_revenue")
_NUMBERS = (
    "average_order_value",
    "sample_ratio_p_value",
    "expected_conversions",
    "incremental_conversions",
    *(f"{name}{limit}" for name in _ESTIMATES for limit in ("", "_low", "_high")),
    "p_value",
    "z_test_p_value",
    "relative_lift_p_value",
    "net_incremental_revenue_p_value",
)
_SCHEMA: dict[str, Any] = {
    "breakdown": pl.String,
    "breakdown_key": pl.String,
    "window_label": pl.String,
    "period_start": pl.Date,
    "period_end": pl.Date,
    "as_of": pl.Datetime("us"),
    "campaigns": pl.Int64,
    **dict.fromkeys(COUNTS, pl.Int64),
    **dict.fromkeys(AMOUNTS, pl.Float64),
    **dict.fromkeys(_NUMBERS, pl.Float64),
    **{f"{name}_null_reason": pl.String for name in _ESTIMATES},
}


def measure_holdouts(campaigns: pl.DataFrame) -> pl.DataFrame:
    """Read the holdout of every campaign, platform, campaign type and of all together, in every window.

    ``campaigns`` has one row per campaign and window: ``campaign_id, platform, campaign_type, holdout_share`` (null:
    none was planned), the window's columns, users and converting users of both arms, users found in both
    (``both_arms_users``, in neither), and for net revenue the campaign's ``conversions``, their ``revenue`` and its
    ``spend`` (each null where a rate is missing; ``is_without_spend`` where none is reported).

    A group sums the campaigns that hold users out. Where their arms are not the same mix of campaigns (check_balance),
    the sums would compare different campaigns, and there is a reason instead of a number. Estimates are in the units of
    their names, with 95 % intervals: Newcombe's for all but the relative lift, which is by the delta method. ``p_value``
    belongs to Newcombe's interval; ``z_test_p_value`` is that of the pooled z-test.
    """
    ordered = campaigns.sort("campaign_id")  # sums of floats depend on their order
    rows = [
        row for breakdown in ("campaign", "platform", "campaign_type", "overall") for row in _of(breakdown, ordered)
    ]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def _of(breakdown: str, campaigns: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """The rows of one breakdown."""
    if breakdown == "campaign":
        keyed = campaigns.with_columns(pl.col("campaign_id").cast(pl.String).alias("key"))
    else:
        held_out = campaigns.filter(pl.col("holdout_users") > 0)
        keyed = held_out.with_columns((pl.lit("all") if breakdown == "overall" else pl.col(breakdown)).alias("key"))
    for (key, *window), members in keyed.group_by("key", *WINDOW, maintain_order=True):
        yield {"breakdown": breakdown, "breakdown_key": key, **dict(zip(WINDOW, window, strict=True)), **_row(members)}


def _row(members: pl.DataFrame) -> dict[str, Any]:
    """The sums of some campaigns, and what they say."""
    counts: dict[str, int] = {name: int(members[name].sum()) for name in COUNTS}
    amounts = {name: None if members[name].null_count() else float(members[name].sum()) for name in AMOUNTS}
    spent = members.filter(~pl.col("is_without_spend"))["spend"]
    amounts["spend"] = None if spent.null_count() or not len(spent) else float(spent.sum())
    row: dict[str, Any] = {"campaigns": len(members), **counts, **amounts}

    treatment = Conversions(counts["treatment_users"], counts["treatment_converted"])
    holdout = Conversions(counts["holdout_users"], counts["holdout_converted"])
    allocation = _allocation(members)
    if isinstance(allocation, AllocationCheck):
        row["sample_ratio_p_value"] = allocation.p_value
    if counts["conversions"] and amounts["revenue"] is not None:
        row["average_order_value"] = amounts["revenue"] / counts["conversions"]
    no_money = _why_no_money(counts["conversions"], amounts, row.get("average_order_value"), is_spent=len(spent) > 0)

    found = measure_incrementality(
        treatment,
        holdout,
        average_order_value=1.0 if no_money else row["average_order_value"],
        spend=0.0 if no_money else row["spend"],
    )
    if isinstance(allocation, AllocationCheck) and not allocation.is_sound and not isinstance(found, NotComputable):
        found = NotComputable(Reason.SAMPLE_RATIO_MISMATCH, f"p = {allocation.p_value:.2g}")
    if isinstance(found, NotComputable):
        return row | {f"{name}_null_reason": str(found.reason) for name in _ESTIMATES}

    return row | _effects(found, z_test(treatment, holdout), log_delta_lift(treatment, holdout), no_money)


def _effects(
    found: Incrementality,
    tested: Estimate | NotComputable,
    relative: Estimate | NotComputable,
    no_money: str | None,
) -> dict[str, Any]:
    """The effects in the units of their names, each with its interval or the reason why there is none."""
    effects: dict[str, Any] = {
        "expected_conversions": found.expected,
        "incremental_conversions": found.conversions.value,
        "p_value": found.rates.difference.p_value,
        "z_test_p_value": None if isinstance(tested, NotComputable) else tested.p_value,
        "relative_lift_p_value": None if isinstance(relative, NotComputable) else relative.p_value,
        "net_incremental_revenue_p_value": None if no_money else found.net_revenue.p_value,
    }
    for name, estimate, unit in (
        ("incrementality_percent", found.share, 100),
        ("holdout_lift_pp", found.rates.difference, 100),
        ("relative_lift_percent", relative, 100),
        ("net_incremental_revenue", no_money or found.net_revenue, 1),
    ):
        if isinstance(estimate, Estimate):
            effects |= {f"{name}{end}": unit * getattr(estimate, part) for end, part in _PARTS}
        else:
            effects[f"{name}_null_reason"] = estimate if isinstance(estimate, str) else str(estimate.reason)
    return effects


_PARTS = (("", "value"), ("_low", "low"), ("_high", "high"))


def _allocation(members: pl.DataFrame) -> AllocationCheck | NotComputable | None:
    """Of one campaign whether its arms have their planned shares, of several whether both are the same mix of them."""
    if len(members) > 1:
        return check_balance(members.select("treatment_users", "holdout_users").to_numpy())
    users, held_out, share = members.select("treatment_users", "holdout_users", "holdout_share").row(0)
    if not held_out or share is None or not 0 < share < 1:
        return None
    return check_sample_ratio([users, held_out], [1 - share, share])


def _why_no_money(
    conversions: int, amounts: dict[str, float | None], average_order_value: float | None, *, is_spent: bool
) -> str | None:
    if not is_spent:
        return "no_spend_reported"
    if amounts["revenue"] is None or amounts["spend"] is None:
        return "missing_rate"
    if not conversions or not average_order_value:
        return "zero_denominator"
    return None
