"""Checks of ``raw.events``: nothing lost or doubled since ingestion, and no event type fell silent."""

from __future__ import annotations

from quality.checks import ColumnCheck, RowsCheck, Suite

SUITE = Suite(
    table="raw.events",
    keys=("event_id",),
    checks=(
        RowsCheck(
            name="rows_equal_the_load_log",
            description="Stored events = accepted - replaced, over all loads of events.",
            query="""
                with logged as (
                    select coalesce(sum(accepted - replaced), 0) as logged
                    from lake.ops.load_log
                    where target = 'events' and status = 'loaded'
                ),
                stored as (
                    select count(*) as stored from batch
                )
                select logged, stored from logged, stored where logged <> stored
            """,
            real_time=True,
        ),
        RowsCheck(
            name="ids_are_unique",
            description="An event is stored once, across all files, loads and days.",
            query="select event_id, count(*) as times from batch group by event_id having count(*) > 1",
        ),
        ColumnCheck(
            name="lag_is_not_negative",
            description="Events come in after they happened, but for the clocks' tolerance of five minutes.",
            expectation="ExpectColumnValuesToBeBetween",
            arguments={"column": "ingestion_lag_seconds", "min_value": -300},
        ),
        RowsCheck(
            name="no_type_fell_silent",
            description="Every event type that came on each of seven days came on the last whole day after them too.",
            query="""
                with days as (
                    select event_type, event_date, count(*) as events
                    from batch
                    where event_date >= getvariable('as_of')::date - 8 and event_date < getvariable('as_of')::date
                    group by event_type, event_date
                )
                select event_type, median(events) as usual_events
                from days
                group by event_type
                having count(*) = 7 and max(event_date) = getvariable('as_of')::date - 2
            """,
            severity="warning",
        ),
        RowsCheck(
            name="campaigns_are_known",
            description="At least 95 % of the last week's campaign events name a campaign that a reference input describes.",
            query="""
                with recent as (
                    select campaign_id, count(*) as events
                    from batch
                    where campaign_id is not null and event_date > getvariable('as_of')::date - 7
                    group by campaign_id
                ),
                unknown as (
                    select campaign_id, events
                    from recent anti join lake.raw.campaigns using (campaign_id)
                )
                select campaign_id, events from unknown
                where (select sum(events) from unknown) > 0.05 * (select sum(events) from recent)
            """,
            severity="warning",
        ),
    ),
)
