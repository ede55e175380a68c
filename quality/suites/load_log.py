"""Checks of ``ops.load_log``: every line of every file is accounted for, and people hear of files that went wrong."""

from __future__ import annotations

from quality.checks import RowsCheck, Suite

SUITE = Suite(
    table="ops.load_log",
    keys=("load_id", "source_file"),
    checks=(
        RowsCheck(
            name="every_line_is_accounted_for",
            description="Of every load: lines = accepted + duplicates + rejected + filtered.",
            query="""
                select load_id, source_file, lines, accepted, duplicates, rejected, filtered
                from batch
                where status = 'loaded' and lines is distinct from accepted + duplicates + rejected + filtered
            """,
            real_time=True,
        ),
        RowsCheck(
            name="quarantine_holds_every_refused_line",
            description="Of every load the rejected lines lie in quarantine, one row each; of landed event files the duplicates too.",
            query="""
                with refused as (
                    select
                        load_id,
                        case
                            when source = 'quarantine' then 0
                            when source = 'landing' and target = 'events' then duplicates + rejected
                            else rejected
                        end as refused
                    from batch
                    where status = 'loaded'
                ),
                kept as (
                    select load_id, count(*) as kept from lake.raw.quarantine group by load_id
                )
                select load_id, coalesce(refused, 0) as refused, coalesce(kept, 0) as kept
                from refused full join kept using (load_id)
                where coalesce(refused, 0) <> coalesce(kept, 0)
            """,
            real_time=True,
        ),
        RowsCheck(
            name="files_are_readable",
            description="Every file of the last day could be read, at the latest when it was tried again.",
            query="""
                select source_file, max(ingested_at) as tried_at, arg_max(error, ingested_at) as error
                from batch
                group by source_file
                having arg_max(status, ingested_at) = 'failed'
                    and max(ingested_at) > getvariable('as_of') - interval 1 day
            """,
            severity="warning",
            real_time=True,
        ),
        RowsCheck(
            name="most_lines_are_valid",
            description="At least 95 % of the lines of each load of the last day passed validation.",
            query="""
                select load_id, source_file, lines, rejected, rejected_by_reason
                from batch
                where rejected > 0.05 * (lines - filtered)
                    and ingested_at between getvariable('as_of') - interval 1 day and getvariable('as_of')
            """,
            severity="warning",
            real_time=True,
        ),
    ),
)
