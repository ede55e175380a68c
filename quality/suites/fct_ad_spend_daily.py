"""Checks of ``marts.fct_ad_spend_daily``: it is the platforms' ledger, and every number of spend comes out of it."""

from __future__ import annotations

from quality.checks import RowsCheck, Suite

SUITE = Suite(
    table="marts.fct_ad_spend_daily",
    keys=("campaign_id", "event_date", "platform"),
    checks=(
        RowsCheck(
            name="equals_the_ledger",
            description="Stated spend, by day, platform and currency, is that of the current reports of the platforms.",
            query="""
                with ledger as (
                    select date as event_date, platform, currency, sum(spend) as reported, count(*) as reports
                    from lake.raw.ad_spend_daily
                    where valid_to is null
                    group by all
                ),
                mart as (
                    select event_date, platform, currency, sum(stated_spend) as stated, count(*) as rows
                    from batch
                    group by all
                )
                select
                    coalesce(ledger.event_date, mart.event_date) as event_date,
                    coalesce(ledger.platform, mart.platform) as platform,
                    reported, stated, reports, rows
                from ledger full join mart
                    on ledger.event_date = mart.event_date
                    and ledger.platform is not distinct from mart.platform
                    and ledger.currency is not distinct from mart.currency
                where reported is distinct from stated or reports is distinct from rows
            """,
        ),
        RowsCheck(
            name="campaign_performance_has_all_spend",
            description="The spend of all campaigns of a window is what the platforms report for its days.",
            query="""
                with windows as (
                    select window_label, period_start, period_end, coalesce(sum(spend), 0) as spend
                    from lake.marts.campaign_performance
                    group by all
                ),
                reports as (
                    select
                        windows.window_label,
                        coalesce(sum(batch.spend), 0) as reported,
                        count(*) filter (batch.is_missing_rate) as without_rate
                    from windows left join batch
                        on batch.event_date between windows.period_start and windows.period_end
                    group by windows.window_label
                )
                select window_label, spend, reported
                from windows inner join reports using (window_label)
                where spend <> reported and without_rate = 0
            """,
        ),
        RowsCheck(
            name="campaign_performance_daily_has_all_spend",
            description="Spend, by campaign and day, is that of the platforms' current reports.",
            query="""
                with reports as (
                    select
                        campaign_id, event_date, coalesce(sum(spend), 0) as reported,
                        count(*) filter (is_missing_rate) as without_rate
                    from batch
                    where event_date <= getvariable('as_of')::date
                    group by campaign_id, event_date
                )
                select campaign_id, event_date, reported, daily.spend
                from lake.marts.campaign_performance_daily as daily full join reports using (campaign_id, event_date)
                where coalesce(daily.spend, 0) <> coalesce(reported, 0) and coalesce(without_rate, 0) = 0
            """,
        ),
        RowsCheck(
            name="every_amount_has_a_rate",
            description="All spend is in the base currency, or in one whose rate a reference input gives.",
            query="""
                select currency, count(*) as reports, min(event_date) as since
                from batch where is_missing_rate group by currency order by currency
            """,
            severity="warning",
        ),
    ),
)
