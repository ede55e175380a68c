"""Checks of ``marts.reconciliation``: it holds what the platforms report, and every breach is told.

A breach stops nothing: platforms count in their own way, and claim conversions that are not theirs.
"""

from __future__ import annotations

from quality.checks import RowsCheck, Suite

SUITE = Suite(
    table="marts.reconciliation",
    keys=("campaign_id", "event_date", "measure"),
    checks=(
        RowsCheck(
            name="has_all_that_is_reported",
            description="Impressions, clicks and conversions of all campaigns and days are those of the platforms' current reports.",
            query="""
                with ledger as (
                    unpivot (
                        select
                            sum(impressions)::double as impressions, sum(clicks)::double as clicks,
                            sum(conversions)::double as conversions
                        from lake.raw.ad_spend_daily
                        where valid_to is null and date <= getvariable('as_of')::date
                    )
                    on impressions, clicks, conversions into name measure value reported
                ),
                shown as (
                    select measure, sum(reported)::double as shown from batch group by measure
                )
                select measure, ledger.reported, shown.shown
                from ledger left join shown using (measure)
                where abs(ledger.reported - coalesce(shown.shown, 0)) > 1e-6 * greatest(1, ledger.reported)
            """,
        ),
        RowsCheck(
            name="platforms_agree",
            description="Over the last 28 days, which platforms still restate, our numbers and theirs differ by at most 1 %.",
            query="""
                select campaign_id, campaign_name, event_date, measure, ours, reported, difference_percent, reason
                from batch
                where is_breach and event_date > getvariable('as_of')::date - 28
            """,
            severity="warning",
        ),
    ),
)
