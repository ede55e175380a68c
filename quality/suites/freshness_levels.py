"""Checks of ``marts.freshness_levels``: it judges every event that came within a day, and people hear of missed targets.

The job ``freshness`` alerts in time; these tell of the day.
"""

from __future__ import annotations

from quality.checks import RowsCheck, Suite

SUITE = Suite(
    table="marts.freshness_levels",
    keys=("event_group", "event_date"),
    checks=(
        RowsCheck(
            name="judges_every_timely_event",
            description="Events of all groups and days are those that came within a day.",
            query="""
                with stored as (
                    select event_date, count(*) as stored from lake.raw.events
                    where not late_arrival and event_date <= getvariable('as_of')::date
                    group by event_date
                ),
                judged as (
                    select event_date, sum(events) as judged from batch group by event_date
                )
                select event_date, stored, judged from stored full join judged using (event_date)
                where stored is distinct from judged
            """,
        ),
        RowsCheck(
            name="targets_were_met_yesterday",
            description="On the last whole day every group's events came in as soon as they are to.",
            query="""
                select event_group, event_date, status, in_target_percent, in_limit_percent
                from batch where status <> 'met' and event_date = getvariable('as_of')::date - 1
            """,
            severity="warning",
        ),
    ),
)
