"""Checks of ``marts.quality_levels``: they count every line, and people hear of what came in badly.

A bad load stops nothing: what it brought and is wrong lies in quarantine, and the rest is right.
"""

from __future__ import annotations

from quality.checks import RowsCheck, Suite

_NEW = "grain = 'day' and load_date >= getvariable('as_of')::date - 1 and load_date <= getvariable('as_of')::date"

SUITE = Suite(
    table="marts.quality_levels",
    keys=("grain", "target", "load_date", "source_file"),
    checks=(
        RowsCheck(
            name="counts_every_line",
            description="Loads, and days of loading, have all lines that the load log has.",
            query="""
                with logged as (
                    select target, ingested_at::date as load_date, sum(lines - filtered) as logged
                    from lake.ops.load_log where status = 'loaded' and lines > 0 group by all
                ),
                shown as (
                    select target, load_date, grain, sum(lines) as shown from batch group by all
                )
                select target, load_date, grain, logged, shown
                from logged left join shown using (target, load_date)
                where logged is distinct from shown
            """,
        ),
        RowsCheck(
            name="no_load_was_critical",
            description="Since yesterday at least 95 % of the files could be read, and 95 % of the lines broke no rule.",
            query=f"select target, load_date, reason, ingestion_percent, validation_percent from batch where level = 'critical' and {_NEW}",
            severity="alert",
        ),
        RowsCheck(
            name="loads_were_good",
            description="Since yesterday what came in was fresh and complete.",
            query=f"select target, load_date, reason, freshness_minutes, completeness_percent from batch where level = 'warning' and {_NEW}",
            severity="warning",
        ),
    ),
)
