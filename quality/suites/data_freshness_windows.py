"""Checks of ``marts.data_freshness_windows``: its windows are made of the days."""

from __future__ import annotations

from quality.checks import RowsCheck, Suite

SUITE = Suite(
    table="marts.data_freshness_windows",
    keys=("event_type", "window_label"),
    checks=(
        RowsCheck(
            name="holds_the_events_of_its_days",
            description="Events, late events and the longest lag of a window are those of its days.",
            query="""
                with days as (
                    select event_type, window_label, sum(days.events) as events, sum(days.late_events) as late_events,
                        max(days.max_lag_minutes) as max_lag_minutes
                    from batch inner join lake.marts.data_freshness as days using (event_type)
                    where days.event_date between batch.period_start and batch.period_end
                    group by event_type, window_label
                )
                select event_type, window_label, batch.events, days.events as events_of_days,
                    batch.max_lag_minutes, days.max_lag_minutes as max_of_days
                from batch left join days using (event_type, window_label)
                where batch.events <> coalesce(days.events, 0) or batch.late_events <> coalesce(days.late_events, 0)
                    or batch.max_lag_minutes is distinct from days.max_lag_minutes
            """,
        ),
    ),
)
