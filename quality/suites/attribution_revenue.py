"""Checks of ``marts.attribution_revenue``: no model gives away more or less than there was."""

from __future__ import annotations

from quality.checks import RowsCheck, Suite

SUITE = Suite(
    table="marts.attribution_revenue",
    keys=("breakdown", "breakdown_key", "window_label"),
    checks=(
        RowsCheck(
            name="models_credit_the_same_revenue",
            description="In each breakdown and window all models credit the revenue of all orders, to the last digit.",
            query="""
                with credited as (
                    unpivot (
                        select
                            breakdown, window_label, any_value(period_start) as period_start, any_value(period_end) as period_end,
                            sum(first_touch_revenue) as first_touch, sum(last_touch_revenue) as last_touch,
                            sum(linear_revenue) as linear, sum(position_revenue) as position,
                            sum(time_decay_revenue) as time_decay, sum(markov_revenue) as markov,
                            sum(shapley_revenue) as shapley
                        from batch
                        group by breakdown, window_label
                        having count(linear_revenue) = count(*) and count(markov_revenue) = count(*)
                    )
                    on first_touch, last_touch, linear, position, time_decay, markov, shapley into name model value revenue
                ),
                orders as (
                    select event_date, sum(order_value) as order_value from lake.marts.fct_orders group by event_date
                )
                select
                    credited.breakdown, credited.window_label, credited.model, credited.revenue,
                    coalesce(sum(orders.order_value), 0) as order_revenue
                from credited left join orders
                    on orders.event_date between credited.period_start and credited.period_end
                group by credited.breakdown, credited.window_label, credited.model, credited.revenue
                having credited.revenue <> coalesce(sum(orders.order_value), 0)
            """,
        ),
        RowsCheck(
            name="agrees_with_metric_values",
            description="The wide and the long table hold the same spread of every group and window.",
            query="""
                with long as (
                    select breakdown, breakdown_key, window_label, value
                    from lake.marts.metric_values
                    where metric_id = 'attributed_revenue' and period_kind = 'window'
                )
                select breakdown, breakdown_key, window_label, batch.spread_percent, long.value
                from batch full join long using (breakdown, breakdown_key, window_label)
                where breakdown_key <> 'unattributed' and batch.spread_percent is distinct from long.value
            """,
        ),
    ),
)
