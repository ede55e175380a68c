"""Checks of ``marts.campaign_detail_segments``: segments make the whole."""

from __future__ import annotations

from quality.checks import RowsCheck, Suite

SUITE = Suite(
    table="marts.campaign_detail_segments",
    keys=("campaign_id", "segment", "window_label"),
    checks=(
        RowsCheck(
            name="segments_sum_to_the_campaign",
            description="Messages, conversions and revenue of a campaign's segments are those of the campaign.",
            query="""
                with sums as (
                    select campaign_id, window_label, sum(sent) as sent, sum(conversions) as conversions,
                        if(count(revenue) = count(*), sum(revenue), null) as revenue
                    from batch group by all
                )
                select campaign_id, window_label, sums.sent, whole.sent as campaign_sent, sums.conversions,
                    whole.conversions as campaign_conversions, sums.revenue, whole.revenue as campaign_revenue
                from sums inner join lake.marts.campaign_performance as whole using (campaign_id, window_label)
                where (sums.sent, sums.conversions, sums.revenue)
                    is distinct from (whole.sent, whole.conversions, whole.revenue::decimal(38, 4))
            """,
        ),
    ),
)
