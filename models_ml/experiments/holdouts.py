"""The holdouts of all campaigns at once: metrics 18 to 20 of each campaign and of groups of them, as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl

from models_ml.experiments.assignment import AllocationCheck, check_balance, check_sample_ratio
from models_ml.experiments.incrementality import Incrementality, measure_incrementality
from models_ml.experiments.inference import Estimate
from models_ml.experiments.proportions import log_delta_lift, z_test_p_value
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
PERIOD = ("period_kind", "window_label", "period_start", "period_end", "as_of")
BREAKDOWNS = ("campaign", "segment", "platform", "campaign_type", "overall")

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
    "period_kind": pl.String,
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
    """Read the holdout of every campaign, segment, platform, campaign type and of all together, in every period.

    ``campaigns`` has one row per campaign and period, and one more per segment of it (``segment``, null in the former):
    ``campaign_id, platform, campaign_type, holdout_share`` (null: none was planned), the period's columns, users and
    converting users of both arms, users found in both (``both_arms_users``, in neither), and for net revenue the
    campaign's ``conversions``, their ``revenue`` and its ``spend`` (each null where a rate is missing;
    ``is_without_spend`` where none is reported). Of a campaign only periods that are ``is_eventful`` are read; in groups
    all count.

    A group sums the campaigns that hold users out; where none of a window does, the reason is no_holdout. Where their arms are not the same mix of campaigns (check_balance),
    the sums would compare different campaigns, and there is a reason instead of a number. Estimates are in the units of
    their names, with 95 % intervals: Newcombe's for all but the relative lift, which is by the delta method. ``p_value``
    belongs to Newcombe's interval; ``z_test_p_value`` is that of the pooled z-test. Segments have no spend and hence no
    net revenue.
    """
    rows = [{"breakdown": breakdown, **row} for breakdown in BREAKDOWNS for row in _of(breakdown, campaigns)]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def _of(breakdown: str, campaigns: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """The rows of one breakdown."""
    if breakdown == "campaign":
        members, key = campaigns.filter(pl.col("segment").is_null() & pl.col("is_eventful")), pl.col("campaign_id")
    elif breakdown == "segment":
        members, key = campaigns.filter(pl.col("segment").is_not_null()), pl.col("segment")
    else:
        members = campaigns.filter(pl.col("segment").is_null())
        key = pl.lit("all") if breakdown == "overall" else pl.col(breakdown)
    if breakdown != "campaign":
        # Campaigns that hold nobody out say nothing beside those that do; a window of such alone says so.
        is_measured = pl.col("holdout_users") > 0
        is_silent = ~is_measured.any().over(key, *PERIOD) & (pl.col("period_kind") == "window")
        members = members.filter(is_measured | is_silent)
    groups = (
        members.sort("campaign_id")  # sums of floats depend on their order
        .group_by(key.cast(pl.String).alias("breakdown_key"), *PERIOD, maintain_order=True)
        .agg(
            pl.len().alias("campaigns"),
            pl.col("treatment_users", "holdout_users").name.prefix("each_"),
            pl.col("holdout_share").first(),
            pl.col(*COUNTS).sum(),
            *(pl.when(pl.col(name).null_count() == 0).then(pl.col(name).sum()).alias(name) for name in AMOUNTS[:-1]),
            pl.col("spend").filter(~pl.col("is_without_spend")).alias("spends"),
        )
    )
    for group in groups.iter_rows(named=True):
        yield {name: group[name] for name in ("breakdown_key", *PERIOD, "campaigns")} | _row(breakdown, group)


def _row(breakdown: str, group: Mapping[str, Any]) -> dict[str, Any]:
    """The sums of some campaigns, and what they say."""
    spends = group["spends"]
    amounts = {name: group[name] for name in AMOUNTS[:-1]}
    amounts["spend"] = sum(spends) if spends and None not in spends else None
    row: dict[str, Any] = {**{name: group[name] for name in COUNTS}, **amounts}

    treatment = Conversions(row["treatment_users"], row["treatment_converted"])
    holdout = Conversions(row["holdout_users"], row["holdout_converted"])
    allocation = _allocation(group)
    if isinstance(allocation, AllocationCheck):
        row["sample_ratio_p_value"] = allocation.p_value
    if row["conversions"] and row["revenue"] is not None:
        row["average_order_value"] = row["revenue"] / row["conversions"]
    no_money = (
        "input_not_available_for_breakdown"
        if breakdown == "segment"
        else _why_no_money(row["conversions"], amounts, row.get("average_order_value"), is_spent=bool(spends))
    )

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

    return row | _effects(found, z_test_p_value(treatment, holdout), log_delta_lift(treatment, holdout), no_money)


def _effects(
    found: Incrementality,
    tested: float | NotComputable,
    relative: Estimate | NotComputable,
    no_money: str | None,
) -> dict[str, Any]:
    """The effects in the units of their names, each with its interval or the reason why there is none."""
    effects: dict[str, Any] = {
        "expected_conversions": found.expected,
        "incremental_conversions": found.conversions.value,
        "p_value": found.rates.difference.p_value,
        "z_test_p_value": None if isinstance(tested, NotComputable) else tested,
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


def _allocation(group: Mapping[str, Any]) -> AllocationCheck | NotComputable | None:
    """Of one campaign whether its arms have their planned shares, of several whether both are the same mix of them."""
    if group["campaigns"] > 1:
        return check_balance(np.column_stack([group["each_treatment_users"], group["each_holdout_users"]]))
    share = group["holdout_share"]
    if not group["holdout_users"] or share is None or not 0 < share < 1:
        return None
    return check_sample_ratio([group["treatment_users"], group["holdout_users"]], [1 - share, share])


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
