"""Checks of ``marts.metric_values``: each value follows from its parts, parts sum to the whole, both shapes agree."""

from __future__ import annotations

from quality.checks import ColumnCheck, RowsCheck, Suite

SUITE = Suite(
    table="marts.metric_values",
    keys=("metric_id", "breakdown", "breakdown_key", "window_label", "period_start"),
    checks=(
        RowsCheck(
            name="value_follows_from_its_parts",
            description="A value is its numerator divided by its denominator, if it has one, times 100 where its unit is % or pp; "
            "or there is none, and a reason for that.",
            query="""
                with expected as (
                    select *, if(unit in ('%', 'pp'), 100, 1) * numerator / if(denominator is null, 1, denominator) as expected
                    from batch inner join lake.marts.metric_dictionary using (metric_id)
                )
                select
                    metric_id, breakdown, breakdown_key, window_label, period_start,
                    value, numerator, denominator, null_reason
                from expected
                where case
                    when null_reason is not null then value is not null
                    else coalesce(abs(value - expected) > 1e-9 * greatest(1, abs(expected)), true) or not isfinite(value)
                end
            """,
            real_time=True,
        ),
        RowsCheck(
            name="windows_end_with_the_run",
            description="All windows of a metric were computed at one instant, and end with its day.",
            query="""
                select distinct metric_id, window_label, period_end, as_of
                from batch
                where period_kind = 'window'
                qualify period_end <> as_of::date or as_of <> max(as_of) over (partition by metric_id)
            """,
            real_time=True,
        ),
        RowsCheck(
            name="agrees_with_campaign_performance",
            description="The wide and the long table hold the same values of every campaign and window.",
            query="""
                with wide as (
                    unpivot (
                        select
                            campaign_id::varchar as breakdown_key,
                            window_label,
                            roas, ctr, conversion_rate, cac, cpc, impressions::double as impressions,
                            budget_utilization, aov, open_rate, click_rate, avg_frequency, hours_to_first_conversion
                        from lake.marts.campaign_performance
                    )
                    on columns(* exclude (breakdown_key, window_label)) into name metric_id value value
                ),
                long as (
                    select breakdown_key, window_label, metric_id, value
                    from batch inner join lake.marts.metric_dictionary using (metric_id)
                    where category in ('campaign_performance', 'engagement') and breakdown = 'campaign' and period_kind = 'window' and value is not null
                )
                select metric_id, breakdown_key, window_label, wide.value as wide_value, long.value as long_value
                from wide full join long using (metric_id, breakdown_key, window_label)
                where wide.value is distinct from long.value
            """,
            real_time=True,
        ),
        RowsCheck(
            name="campaigns_sum_to_the_whole",
            description="Clicks, impressions, spend and revenue of all campaigns make those of the overall rows.",
            query="""
                with campaigns as (
                    unpivot (
                        select
                            window_label,
                            sum(clicks)::double as clicks,
                            sum(impressions)::double as impressions,
                            sum(spend)::double as spend,
                            case when count(revenue) = count(*) then sum(revenue) end::double as revenue
                        from lake.marts.campaign_performance
                        group by window_label
                    )
                    on clicks, impressions, spend, revenue into name part value campaigns
                ),
                whole as (
                    select window_label, 'clicks' as part, numerator as whole from batch
                    where metric_id = 'ctr' and breakdown = 'overall' and period_kind = 'window'
                    union all
                    select window_label, 'impressions', numerator from batch
                    where metric_id = 'impressions' and breakdown = 'overall' and period_kind = 'window'
                    union all
                    select window_label, 'spend', denominator from batch
                    where metric_id = 'roas' and breakdown = 'overall' and period_kind = 'window'
                    union all
                    select window_label, 'revenue', numerator from batch
                    where metric_id = 'roas' and breakdown = 'overall' and period_kind = 'window'
                )
                select part, window_label, whole, campaigns
                from whole inner join campaigns using (part, window_label)
                where abs(whole - campaigns) > 1e-9 * greatest(1, abs(whole))
            """,
            real_time=True,
        ),
        RowsCheck(
            name="windows_are_sums_of_their_days",
            description="Clicks and impressions of a window are those of its days, in every group.",
            query="""
                with days as (
                    select breakdown, breakdown_key, period_start as day, numerator, denominator
                    from batch where metric_id = 'ctr' and period_kind = 'daily'
                )
                select
                    windows.breakdown, windows.breakdown_key, windows.window_label,
                    any_value(windows.numerator) as clicks, coalesce(sum(days.numerator), 0) as clicks_of_days,
                    any_value(windows.denominator) as impressions, coalesce(sum(days.denominator), 0) as impressions_of_days
                from batch as windows left join days
                    on windows.breakdown = days.breakdown and windows.breakdown_key = days.breakdown_key
                    and days.day between windows.period_start and windows.period_end
                where windows.metric_id = 'ctr' and windows.period_kind = 'window'
                group by windows.breakdown, windows.breakdown_key, windows.window_label
                having clicks <> clicks_of_days or impressions <> impressions_of_days
            """,
        ),
        ColumnCheck(
            name="completeness_is_a_percentage",
            description="Completeness lies between 0 and 100 %.",
            expectation="ExpectColumnValuesToBeBetween",
            arguments={"column": "completeness_percent", "min_value": 0, "max_value": 100},
        ),
        ColumnCheck(
            name="confidence_is_a_percentage",
            description="Confidence lies between 0 and 100 %.",
            expectation="ExpectColumnValuesToBeBetween",
            arguments={"column": "confidence_percent", "min_value": 0, "max_value": 100},
        ),
        RowsCheck(
            name="shares_are_not_above_100",
            description="Nothing was clicked, opened or converted more often than there was something to click, open or convert.",
            query="""
                select metric_id, breakdown, breakdown_key, window_label, value
                from batch
                where metric_id in ('ctr', 'conversion_rate', 'open_rate', 'click_rate')
                    and breakdown = 'overall' and period_kind = 'window' and value > 100
            """,
            severity="warning",
            real_time=True,
        ),
        RowsCheck(
            name="metrics_are_in_their_healthy_range",
            description="Every metric of the whole company lay in its healthy range over the last 30 days.",
            query="""
                select metric_id, value, status, healthy_min, healthy_max, owner
                from batch inner join lake.marts.metric_dictionary using (metric_id)
                where breakdown = 'overall' and window_label = '30d' and status in ('below', 'above')
            """,
            severity="warning",
        ),
        RowsCheck(
            name="yesterday_is_complete",
            description="At least 90 % of the events that are usual for its weekday came in for the last whole day.",
            query="""
                select distinct period_start as day, completeness_percent
                from batch
                where period_kind = 'daily' and period_start = getvariable('as_of')::date - 1 and is_incomplete
            """,
            severity="warning",
        ),
        RowsCheck(
            name="no_metric_jumped",
            description="On the last whole day no metric of the whole company was five times its median of four weeks, or a fifth.",
            query="""
                with days as (
                    select metric_id, period_start as day, value
                    from batch
                    where breakdown = 'overall' and period_kind = 'daily' and value is not null
                        and period_start between getvariable('as_of')::date - 29 and getvariable('as_of')::date - 1
                ),
                usual as (
                    select metric_id, median(value) as usual
                    from days where day < getvariable('as_of')::date - 1
                    group by metric_id having count(*) >= 14
                )
                select metric_id, day, value, usual
                from days inner join usual using (metric_id)
                where day = getvariable('as_of')::date - 1 and usual > 0
                    and (value > 5 * usual or value < usual / 5)
            """,
            severity="warning",
        ),
    ),
)
