"""Checks of ``marts.incrementality``: intervals, p-values and the long table say the same."""

from __future__ import annotations

from quality.checks import RowsCheck, Suite

SUITE = Suite(
    table="marts.incrementality",
    keys=("breakdown", "breakdown_key", "window_label", "period_end"),
    checks=(
        RowsCheck(
            name="intervals_hold_their_values",
            description="Every effect lies within its interval.",
            query="""
                select breakdown, breakdown_key, window_label, incrementality_percent, holdout_lift_pp, net_incremental_revenue
                from batch
                where not (
                    coalesce(incrementality_percent between incrementality_percent_low and incrementality_percent_high, true)
                    and coalesce(holdout_lift_pp between holdout_lift_pp_low and holdout_lift_pp_high, true)
                    and coalesce(relative_lift_percent between relative_lift_percent_low and relative_lift_percent_high, true)
                    and coalesce(
                        net_incremental_revenue between net_incremental_revenue_low and net_incremental_revenue_high, true
                    )
                )
            """,
        ),
        RowsCheck(
            name="intervals_and_p_values_agree",
            description="An interval leaves out zero exactly when its p-value is below .05.",
            query="""
                select breakdown, breakdown_key, window_label, holdout_lift_pp_low, holdout_lift_pp_high, p_value
                from batch
                where abs(p_value - 0.05) > 1e-9
                    and (
                        (p_value < 0.05) <> (holdout_lift_pp_low > 0 or holdout_lift_pp_high < 0)
                        or (p_value < 0.05) <> (incrementality_percent_low > 0 or incrementality_percent_high < 0)
                    )
            """,
        ),
        RowsCheck(
            name="agrees_with_metric_values",
            description="The wide and the long table hold the same values of every group and window.",
            query="""
                with wide as (
                    unpivot (
                        select
                            breakdown, breakdown_key, window_label, period_end,
                            incrementality_percent, holdout_lift_pp, net_incremental_revenue
                        from batch
                    )
                    on incrementality_percent, holdout_lift_pp, net_incremental_revenue into name metric_id value value
                ),
                long as (
                    select breakdown, breakdown_key, window_label, period_end, metric_id, value
                    from lake.marts.metric_values
                    where metric_id in (select distinct metric_id from wide) and value is not null
                )
                select metric_id, breakdown, breakdown_key, period_end, window_label, wide.value as wide_value, long.value as long_value
                from wide full join long using (metric_id, breakdown, breakdown_key, window_label, period_end)
                where wide.value is distinct from long.value
            """,
        ),
        RowsCheck(
            name="arms_have_their_planned_shares",
            description="No campaign's holdout is of another size than planned, beyond chance (p < .001).",
            query="""
                select breakdown, breakdown_key, treatment_users, holdout_users, sample_ratio_p_value
                from batch
                where breakdown = 'campaign' and window_label = '1d' and sample_ratio_p_value < 0.001
            """,
            severity="warning",
        ),
        RowsCheck(
            name="few_users_are_in_both_arms",
            description="Of no campaign more than 1 % of the users are found in both arms.",
            query="""
                select breakdown, breakdown_key, treatment_users, holdout_users, both_arms_users
                from batch
                where breakdown = 'campaign' and window_label = '1d'
                    and both_arms_users > 0.01 * (treatment_users + holdout_users + both_arms_users)
            """,
            severity="warning",
        ),
    ),
)
