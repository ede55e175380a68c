"""Checks of ``marts.fct_conversions``: an order is converted once, and the campaigns' numbers come out of it."""

from __future__ import annotations

from quality.checks import RowsCheck, Suite

SUITE = Suite(
    table="marts.fct_conversions",
    keys=("event_id", "order_id"),
    checks=(
        RowsCheck(
            name="an_order_is_converted_once",
            description="No order counts as a conversion twice.",
            query="select order_id, count(*) as times from batch group by order_id having count(*) > 1",
        ),
        RowsCheck(
            name="campaign_performance_daily_has_all_conversions",
            description="Conversions and their revenue, by campaign and day, are those of the conversions themselves.",
            query="""
                with counted as (
                    select
                        campaign_id, event_date, count(*) as counted,
                        case when not bool_or(is_missing_rate) then sum(conversion_value) end as worth
                    from batch
                    where event_date <= getvariable('as_of')::date
                    group by campaign_id, event_date
                ),
                shown as (
                    select campaign_id, event_date, conversions, revenue
                    from lake.marts.campaign_performance_daily
                    where conversions <> 0
                )
                select campaign_id, event_date, counted, conversions, worth, revenue
                from counted full join shown using (campaign_id, event_date)
                where counted is distinct from conversions or worth is distinct from revenue
            """,
        ),
        RowsCheck(
            name="every_amount_has_a_rate",
            description="Every conversion is in the base currency, or in one whose rate a reference input gives.",
            query="""
                select currency, count(*) as conversions, min(event_date) as since
                from batch where is_missing_rate group by currency
            """,
            severity="warning",
            real_time=True,
        ),
    ),
)
