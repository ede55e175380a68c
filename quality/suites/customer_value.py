"""Checks of ``marts.customer_value`` against the orders and the spend that it was made from."""

from __future__ import annotations

from quality.checks import RowsCheck, Suite

SUITE = Suite(
    table="marts.customer_value",
    keys=("user_id",),
    checks=(
        RowsCheck(
            name="has_every_customer_with_all_orders",
            description="Whoever has ordered is there, with all orders so far and what they were worth.",
            query="""
                with orders as (
                    select
                        user_id, count(*) as orders,
                        case when count(order_value) = count(*) then sum(order_value) end as revenue
                    from lake.marts.fct_orders
                    where event_date <= getvariable('as_of')::date
                    group by user_id
                )
                select
                    user_id, orders.orders as ordered, batch.orders as shown,
                    orders.revenue as revenue, batch.lifetime_revenue as shown_revenue
                from orders full join batch using (user_id)
                where orders.orders is distinct from batch.orders
                    or orders.revenue is distinct from batch.lifetime_revenue
            """,
        ),
        RowsCheck(
            name="acquisition_costs_are_what_campaigns_spent",
            description="The costs of all customers that a campaign acquired make what it has spent.",
            query="""
                with spend as (
                    select campaign_id, sum(spend) as spend
                    from lake.marts.fct_ad_spend_daily
                    where event_date <= getvariable('as_of')::date
                    group by campaign_id having count(spend) = count(stated_spend) and count(spend) > 0
                ),
                costs as (
                    select acquiring_campaign_id as campaign_id, sum(acquisition_cost) as cost
                    from batch where acquiring_campaign_id is not null group by acquiring_campaign_id
                )
                select campaign_id, spend, cost
                from costs left join spend using (campaign_id)
                where coalesce(abs(spend - cost) > 1e-6 * greatest(1, spend), spend is distinct from cost)
            """,
        ),
    ),
)
