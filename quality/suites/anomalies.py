"""Checks of ``marts.anomalies``: they are about the numbers that are shown, and people hear of them.

None stops publishing: out of the ordinary is not wrong, the day after would bring no other numbers, and a refusal would
stand until the day is no longer watched. What is wrong breaks an identity, which other checks guard.
"""

from __future__ import annotations

from quality.checks import RowsCheck, Suite

SUITE = Suite(
    table="marts.anomalies",
    keys=("metric_id", "breakdown", "breakdown_key", "event_date", "rule"),
    checks=(
        RowsCheck(
            name="are_about_the_shown_values",
            description="What an anomaly calls the value of a day is what metric_values shows.",
            query="""
                select batch.metric_id, batch.breakdown, batch.breakdown_key, batch.event_date, batch.actual, shown.value
                from batch left join lake.marts.metric_values as shown
                    on batch.metric_id = shown.metric_id and batch.breakdown = shown.breakdown
                    and batch.breakdown_key = shown.breakdown_key and batch.event_date = shown.period_end
                    and shown.period_kind = 'daily'
                where batch.metric_id not in ('events', 'duplicate_percent') and batch.judged = 'day'
                    and coalesce(batch.actual, 0) is distinct from coalesce(shown.value, 0)
            """,
        ),
        RowsCheck(
            name="nothing_grave_happened_yesterday",
            description="On the last whole day no metric of the whole company, and no event type, was far out of the ordinary.",
            query="""
                select metric_id, breakdown_key, event_date, kind, actual, expected, deviation_percent
                from batch
                where severity = 'critical' and breakdown <> 'campaign' and event_date = getvariable('as_of')::date - 1
            """,
            severity="alert",
        ),
        RowsCheck(
            name="yesterday_was_ordinary",
            description="On the last whole day no metric, campaign or event type was out of the ordinary.",
            query="""
                select metric_id, breakdown, coalesce(campaign_name, breakdown_key) as name, event_date, rule, kind, actual, expected
                from batch
                where severity in ('critical', 'warning') and event_date = getvariable('as_of')::date - 1
            """,
            severity="warning",
        ),
    ),
)
