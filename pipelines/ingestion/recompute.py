"""Asks for whole days to be computed again, as if everything on them had just come in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from pipelines.errors import UserError
from pipelines.ingestion.load import LoadResult, open_ingestion
from pipelines.ingestion.references import ReferenceCounts
from pipelines.lake.connection import Lake
from pipelines.operations.queries import logged_step


@logged_step("recompute_days")
def request_days(lake: Lake, days: Sequence[date], *, as_of: datetime) -> LoadResult:
    """Mark ``days``, every user seen on them, their spend and their rates as touched, so that the next build of any
    model computes them again.

    The request is a load without lines, for the models follow load ids. Raises UserError when no day is given.
    """
    if not days:
        raise UserError("No day is given.", "Choose at least one day to compute again.")
    span = f"{min(days)} to {max(days)}"
    described = LoadResult(
        source="recompute",
        target="touched_days",
        source_file=span,
        content_hash=f"{span} at {as_of.isoformat()}",
        bytes=0,
    )
    with open_ingestion(lake, ingested_at=as_of) as ingestion:

        def mark(load_id: int) -> ReferenceCounts:
            ingestion.connection.execute(
                """
                insert into lake.ops.touched_days by name
                select distinct $load_id as load_id, event_date, user_id, 'recompute' as cause
                from lake.raw.events where event_date in (select unnest($days::date[]))
                union all by name
                select $load_id as load_id, event_date, cause
                from unnest($days::date[]) as days(event_date), unnest(['ad_spend_daily', 'fx_rates']) as causes(cause)
                """,
                {"load_id": load_id, "days": list(days)},
            )
            return ReferenceCounts(lines=0, accepted=0, replaced=0, duplicates=0, rejected=0)

        return ingestion.load_reference(described, mark)
