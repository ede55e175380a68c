"""Checks of ``marts.fct_touchpoints``: the campaigns' opens and clicks come out of it."""

from __future__ import annotations

from quality.checks import RowsCheck, Suite

SUITE = Suite(
    table="marts.fct_touchpoints",
    keys=("event_id",),
    checks=(
        RowsCheck(
            name="campaign_performance_daily_has_all_touches",
            description="Opens and clicks, by campaign and day, are the touches themselves and the platforms' own clicks.",
            query="""
                with counted as (
                    select
                        campaign_id, event_date,
                        count(*) filter (action = 'opened') as opened, count(*) filter (action = 'clicked') as clicked
                    from batch
                    where event_date <= getvariable('as_of')::date
                    group by campaign_id, event_date
                ),
                shown as (
                    select campaign_id, event_date, opens, clicks - reported_clicks as clicks
                    from lake.marts.campaign_performance_daily
                    where opens <> 0 or clicks <> reported_clicks
                )
                select campaign_id, event_date, opened, opens, clicked, clicks
                from counted full join shown using (campaign_id, event_date)
                where opened is distinct from opens or clicked is distinct from clicks
            """,
        ),
        RowsCheck(
            name="touches_are_stored_events",
            description="Every touch is an opened or clicked event, at most once.",
            query="""
                with events as (
                    select event_date, count(*) as events
                    from lake.raw.events
                    where event_type in ('campaign_viewed', 'campaign_clicked')
                    group by event_date
                )
                select event_date, count(*) as touches, any_value(events) as events
                from batch left join events using (event_date)
                group by event_date
                having count(*) > coalesce(any_value(events), 0) or count(*) <> count(distinct event_id)
            """,
        ),
    ),
)
