"""Checks of ``marts.roi_deep_dive``: its increment is that of metric 18."""

from __future__ import annotations

from quality.checks import RowsCheck, Suite

SUITE = Suite(
    table="marts.roi_deep_dive",
    keys=("breakdown", "breakdown_key", "window_label", "line"),
    checks=(
        RowsCheck(
            name="conversions_are_metric_18",
            description="The increment of conversions in percent is the incrementality of the group.",
            query="""
                select breakdown, breakdown_key, window_label, increment_percent, incrementality_percent
                from batch inner join lake.marts.incrementality using (breakdown, breakdown_key, window_label)
                where line = 'conversions'
                    and abs(increment_percent - incrementality_percent) > 1e-6 * greatest(1, abs(incrementality_percent))
            """,
        ),
    ),
)
