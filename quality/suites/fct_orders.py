"""Checks of ``marts.fct_orders`` against the purchases that it was made from, and of the amounts themselves."""

from __future__ import annotations

from quality.checks import ColumnCheck, RowsCheck, Suite

SUITE = Suite(
    table="marts.fct_orders",
    keys=("order_id",),
    checks=(
        RowsCheck(
            name="has_every_order_once",
            description="Every order is there once, with the value of its earliest purchase event.",
            query="""
                with purchases as (
                    select order_id, event_id, order_value as stated_value, currency
                    from lake.raw.events
                    where event_type = 'user_purchased'
                    qualify row_number() over (partition by order_id order by "timestamp", event_id) = 1
                ),
                orders as (
                    select order_id, count(*) as times, min(event_id) as event_id, min(stated_value) as stated_value
                    from batch group by order_id
                )
                select
                    order_id, coalesce(orders.times, 0) as times,
                    purchases.stated_value as purchased, orders.stated_value as shown
                from purchases full join orders using (order_id)
                where orders.times is distinct from 1
                    or purchases.event_id is distinct from orders.event_id
                    or purchases.stated_value is distinct from orders.stated_value
            """,
        ),
        RowsCheck(
            name="every_customer_has_one_first_order",
            description="Of each customer's orders exactly one is the first, and none is earlier.",
            query="""
                select user_id, count(*) filter (is_first_order) as first_orders, min(occurred_at) as earliest
                from batch group by user_id
                having first_orders <> 1 or min(occurred_at) <> min(occurred_at) filter (is_first_order)
            """,
        ),
        RowsCheck(
            name="every_amount_has_a_rate",
            description="Every order is in the base currency, or in one whose rate a reference input gives.",
            query="""
                select currency, count(*) as orders, min(event_date) as since
                from batch where is_missing_rate group by currency
            """,
            severity="warning",
            real_time=True,
        ),
        RowsCheck(
            name="no_order_dwarfs_the_others",
            description="No order is worth more than a thousand times the median order.",
            query="""
                select order_id, user_id, occurred_at, order_value
                from batch where order_value > 1000 * (select median(order_value) from batch)
            """,
            severity="warning",
        ),
        ColumnCheck(
            name="most_orders_are_worth_something",
            description="The median order is worth more than nothing.",
            expectation="ExpectColumnMedianToBeBetween",
            arguments={"column": "order_value", "min_value": 0, "strict_min": True},
            severity="warning",
        ),
    ),
)
