"""Checks of ``marts.data_freshness``: it counts every event, and what comes in is young."""

from __future__ import annotations

from quality.checks import RowsCheck, Suite

SUITE = Suite(
    table="marts.data_freshness",
    keys=("event_type", "event_date"),
    checks=(
        RowsCheck(
            name="counts_every_event",
            description="Events of all types and days up to the run make the rows of raw.events.",
            query="""
                with counted as (
                    select event_date, count(*) as stored from lake.raw.events
                    where event_date <= getvariable('as_of')::date
                    group by event_date
                )
                select event_date, stored, events
                from counted full join (from batch where event_type = 'all') using (event_date)
                where stored is distinct from events
            """,
        ),
        RowsCheck(
            name="events_come_in_time",
            description="The 95th percentile of today's lag is at most 15 minutes.",
            query="""
                select event_type, event_date, p95_lag_minutes
                from batch
                where event_type = 'all' and event_date = getvariable('as_of')::date and p95_lag_minutes > 15
            """,
            severity="warning",
            real_time=True,
        ),
        RowsCheck(
            name="events_still_come",
            description="The newest event is at most 15 minutes old.",
            query="""
                select event_type, newest_event_at, minutes_since_newest
                from batch where event_type = 'all' and minutes_since_newest > 15
            """,
            severity="warning",
            real_time=True,
        ),
    ),
)
