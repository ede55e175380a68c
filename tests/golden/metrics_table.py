"""The table of specification 02-metrics.md, typed off by hand: what the published dictionary must say."""

from __future__ import annotations

from typing import NamedTuple


class Specified(NamedTuple):
    """One metric as the specification's table states it; bounds that it leaves open are None."""

    number: int
    metric_id: str
    healthy_min: float | None
    healthy_max: float | None
    owner: str
    refresh: str
    priority: str


SPECIFIED = tuple(
    Specified(number, *row)
    for number, row in enumerate(
        (
            ("roas", 2.5, None, "CMO", "real-time", "P0"),
            ("ctr", 1.5, 5, "Perf", "real-time", "P0"),
            ("conversion_rate", 5, 20, "Lifecycle", "real-time", "P0"),
            ("cac", None, 20, "CMO", "daily", "P0"),
            ("cpc", 0.5, 2, "Perf", "hourly", "P1"),
            ("impressions", 50_000, 1_000_000, "Perf", "real-time", "P1"),
            ("budget_utilization", 75, 105, "CMO", "daily", "P1"),
            ("aov", 10, 50, "Rewards", "daily", "P1"),
            ("ltv", 300, 1_000, "Rewards", "weekly", "P0"),
            ("cac_payback_months", 1, 6, "Rewards", "weekly", "P1"),
            ("repeat_purchase_rate", 25, 50, "Lifecycle", "weekly", "P1"),
            ("gross_margin_percent", 20, 40, "Rewards", "weekly", "P1"),
            ("cohort_retention", 30, 70, "Lifecycle", "weekly", "P1"),
            ("open_rate", 15, 35, "Lifecycle", "real-time", "P2"),
            ("click_rate", 5, 20, "Perf", "real-time", "P2"),
            ("avg_frequency", 1.5, 3.5, "Perf", "daily", "P2"),
            ("hours_to_first_conversion", 0.5, 72, "Perf", "daily", "P2"),
            ("incrementality_percent", 30, 60, "CMO, DS", "weekly", "P0"),
            ("holdout_lift_pp", 0.5, 3, "DS", "weekly", "P1"),
            ("net_incremental_revenue", 0, None, "CMO", "weekly", "P0"),
            ("attributed_revenue", 10, 30, "DS", "weekly", "P2"),
            ("data_freshness_minutes", None, 5, "Eng", "real-time", "P0"),
            ("model_auc", 0.8, 0.95, "DS", "weekly", "P1"),
            ("uptime_percent", 99.5, None, "Eng", "real-time", "P0"),
            ("cost_per_query", None, 0.01, "Eng", "daily", "P2"),
        ),
        start=1,
    )
)
