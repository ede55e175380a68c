"""Checks of ``marts.campaign_performance``: nothing is negative, and campaigns are described."""

from __future__ import annotations

from quality.checks import RowsCheck, Suite

SUITE = Suite(
    table="marts.campaign_performance",
    keys=("campaign_id", "window_label"),
    checks=(
        RowsCheck(
            name="nothing_is_negative",
            description="Counts and money are at least zero.",
            query="""
                select campaign_id, window_label, impressions, clicks, conversions, revenue, spend
                from batch
                where least(impressions, sent, opens, clicks, conversions, users_reached, users_clicked, users_converted) < 0
                    or least(revenue, spend, budget) < 0
            """,
            real_time=True,
        ),
        RowsCheck(
            name="has_all_conversions",
            description="Conversions of all campaigns of a window are those of its days.",
            query="""
                with windows as (
                    select window_label, period_start, period_end, sum(conversions) as conversions
                    from batch group by all
                )
                select window_label, any_value(windows.conversions) as shown, count(counted.event_id) as counted
                from windows left join lake.intermediate.int_conversions as counted
                    on counted.event_date between windows.period_start and windows.period_end
                    and counted.is_counted and counted.closed_by_load_id is null
                group by window_label
                having shown <> count(counted.event_id)
            """,
            real_time=True,
        ),
        RowsCheck(
            name="names_are_clean",
            description="A campaign's name has no control characters and no blanks at its ends.",
            query="select distinct campaign_id, name from batch where regexp_matches(name, '^\\s|\\s$|[[:cntrl:]]')",
            severity="warning",
        ),
        RowsCheck(
            name="campaigns_have_names",
            description="Every campaign that has numbers is described by a reference input.",
            query="select distinct campaign_id from batch where name is null",
            severity="warning",
        ),
    ),
)
