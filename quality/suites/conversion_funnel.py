"""Checks of ``marts.conversion_funnel``: clickers and buyers are those of the metrics."""

from __future__ import annotations

from quality.checks import RowsCheck, Suite

SUITE = Suite(
    table="marts.conversion_funnel",
    keys=("breakdown", "breakdown_key", "window_label", "step"),
    checks=(
        RowsCheck(
            name="users_are_those_of_the_metrics",
            description="Users who click and who purchase are those that the conversion rate divides.",
            query="""
                with steps as (
                    select breakdown, breakdown_key, window_label,
                        max(users_at_step) filter (step = 'click') as clicked,
                        max(users_at_step) filter (step = 'purchase') as purchased
                    from batch group by all
                )
                select breakdown, breakdown_key, window_label, clicked, denominator, purchased, numerator
                from steps inner join lake.marts.metric_values using (breakdown, breakdown_key, window_label)
                where metric_id = 'conversion_rate' and period_kind = 'window'
                    and (clicked <> denominator or purchased <> numerator)
            """,
        ),
    ),
)
