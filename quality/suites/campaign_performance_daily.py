"""Checks of ``marts.campaign_performance_daily`` against what it was made from, counted anew from the raw events."""

from __future__ import annotations

from quality.checks import RowsCheck, Suite

SUITE = Suite(
    table="marts.campaign_performance_daily",
    keys=("campaign_id", "event_date"),
    checks=(
        RowsCheck(
            name="sent_equals_the_events",
            description="Messages sent, by campaign and day, are the delivered events that are no holdout.",
            query="""
                with counted as (
                    select campaign_id, event_date, count(*) as events
                    from lake.raw.events
                    where event_type = 'campaign_delivered' and not is_holdout
                        and event_date <= getvariable('as_of')::date
                    group by campaign_id, event_date
                ),
                shown as (
                    select campaign_id, event_date, sent from batch where sent <> 0
                )
                select campaign_id, event_date, events, sent
                from counted full join shown using (campaign_id, event_date)
                where events is distinct from sent
            """,
        ),
    ),
)
