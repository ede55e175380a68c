"""Checks of ``marts.segment_economics``: its revenue is that of the orders, and the long table says the same."""

from __future__ import annotations

from quality.checks import RowsCheck, Suite

SUITE = Suite(
    table="marts.segment_economics",
    keys=("segment",),
    checks=(
        RowsCheck(
            name="has_all_revenue",
            description="Orders and revenue of a segment are those of its orders of the last 90 days.",
            query="""
                with orders as (
                    select
                        segment, count(*) as orders,
                        case when count(order_value) = count(*) then sum(order_value) end as revenue
                    from lake.marts.fct_orders
                    where event_date between getvariable('as_of')::date - 89 and getvariable('as_of')::date
                    group by segment
                )
                select
                    segment, orders.orders as ordered, batch.orders as shown,
                    orders.revenue as revenue, batch.revenue as shown_revenue
                from orders full join batch using (segment)
                where coalesce(orders.orders, 0) is distinct from batch.orders
                    or (coalesce(orders.revenue, 0) is distinct from batch.revenue and batch.cost_of_goods is not null)
            """,
        ),
        RowsCheck(
            name="agrees_with_metric_values",
            description="The wide and the long table hold the same values of every segment.",
            query="""
                with wide as (
                    unpivot (
                        select segment, ltv, cac_payback_months, repeat_purchase_rate, gross_margin_percent from batch
                    )
                    on columns(* exclude (segment)) into name metric_id value value
                ),
                long as (
                    select breakdown_key as segment, metric_id, value
                    from lake.marts.metric_values
                    where breakdown = 'segment' and period_kind = 'window' and value is not null
                        and metric_id in ('ltv', 'cac_payback_months', 'repeat_purchase_rate', 'gross_margin_percent')
                )
                select metric_id, segment, wide.value as wide_value, long.value as long_value
                from wide full join long using (metric_id, segment)
                where wide.value is distinct from long.value
            """,
        ),
        RowsCheck(
            name="goods_have_costs",
            description="Every order of the last 90 days has items, and every item a cost.",
            query="select segment, orders, orders_missing_cost from batch where orders_missing_cost > 0",
            severity="warning",
        ),
    ),
)
