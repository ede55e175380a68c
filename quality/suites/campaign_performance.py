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
