"""Checks of ``marts.campaign_leaderboard``: nobody is missing."""

from __future__ import annotations

from quality.checks import RowsCheck, Suite

SUITE = Suite(
    table="marts.campaign_leaderboard",
    keys=("campaign_id", "segment", "window_label"),
    checks=(
        RowsCheck(
            name="has_all_campaigns",
            description="Every campaign of the reference is on the board of every window, whether anything happened to it or not.",
            query="""
                select windows.window_label, campaigns.campaign_id
                from lake.marts.dim_campaigns as campaigns
                cross join (select distinct window_label from batch) as windows
                anti join (from batch where segment = 'all') as board
                    on campaigns.campaign_id = board.campaign_id and windows.window_label = board.window_label
            """,
        ),
    ),
)
