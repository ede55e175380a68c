"""Checks of ``marts.attribution_revenue_daily``: each day's orders are given away once, and the long table says the same."""

from __future__ import annotations

from quality.checks import RowsCheck, Suite

SUITE = Suite(
    table="marts.attribution_revenue_daily",
    keys=("breakdown", "breakdown_key", "event_date"),
    checks=(
        RowsCheck(
            name="every_day_is_credited_to_its_orders",
            description="In each breakdown and day every model credits as many orders as there are, and their revenue.",
            query="""
                with orders as (
                    select event_date, count(*) as orders, coalesce(sum(order_value), 0) as revenue
                    from lake.marts.fct_orders
                    group by event_date
                )
                select
                    breakdown, event_date, sum(batch.linear_orders) as credited, any_value(orders.orders) as orders,
                    sum(batch.linear_revenue) as credited_revenue, any_value(orders.revenue) as revenue
                from batch full join orders using (event_date)
                group by breakdown, event_date
                having sum(batch.linear_orders) is null
                    or any_value(orders.orders) is null
                    or abs(sum(batch.first_touch_orders) - any_value(orders.orders)) > 1e-6
                    or abs(sum(batch.linear_orders) - any_value(orders.orders)) > 1e-6
                    or abs(sum(batch.time_decay_orders) - any_value(orders.orders)) > 1e-6
                    or (
                        count(batch.linear_revenue) = count(*)
                        and sum(batch.linear_revenue) <> any_value(orders.revenue)
                    )
            """,
        ),
        RowsCheck(
            name="agrees_with_metric_values",
            description="The wide and the long table hold the same spread of every group and day.",
            query="""
                with long as (
                    select breakdown, breakdown_key, period_end as event_date, value
                    from lake.marts.metric_values
                    where metric_id = 'attributed_revenue' and period_kind = 'daily'
                )
                select breakdown, breakdown_key, event_date, batch.spread_percent, long.value
                from batch full join long using (breakdown, breakdown_key, event_date)
                where
                    breakdown_key <> 'unattributed'
                    and event_date <= (select max(period_end) from lake.marts.metric_values)
                    and batch.spread_percent is distinct from long.value
            """,
        ),
    ),
)
