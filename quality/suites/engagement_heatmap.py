"""Checks of ``marts.engagement_heatmap``: segments make all."""

from __future__ import annotations

from quality.checks import RowsCheck, Suite

SUITE = Suite(
    table="marts.engagement_heatmap",
    keys=("segment", "window_label", "weekday", "hour_of_day"),
    checks=(
        RowsCheck(
            name="segments_sum_to_all",
            description="Messages, openings and clicks of the segments are those of everyone, hour by hour.",
            query="""
                select window_label, weekday, hour_of_day,
                    sum(if(segment = 'all', sent, -sent)) as sent,
                    sum(if(segment = 'all', opens, -opens)) as opens,
                    sum(if(segment = 'all', clicks, -clicks)) as clicks
                from batch group by all having sent <> 0 or opens <> 0 or clicks <> 0
            """,
        ),
    ),
)
