{{ config(materialized='view') }}

with effects as (
    select
        *,
        cast(treatment_revenue as double)
        - cast(holdout_revenue as double) * {{ safe_divide('treatment_users', 'holdout_users') }}
            as incremental_revenue,
        case
            when incrementality_percent_null_reason is not null then incrementality_percent_null_reason
            when treatment_revenue is null or holdout_revenue is null then 'missing_rate'
            when incremental_conversions <= 0 then 'no_incremental_conversions'
        end as revenue_gap
    from {{ ref('incrementality') }}
    where period_kind = 'window'
),

judged as (
    select
        *,
        case
            when incrementality_percent_null_reason is not null then incrementality_percent_null_reason
            when spend is null then coalesce(net_incremental_revenue_null_reason, 'no_spend_reported')
            when incremental_conversions <= 0 then 'no_incremental_conversions'
        end as cost_gap
    from effects
),

margins as (
    select
        value,
        null_reason
    from {{ ref('metric_values') }}
    where metric_id = 'gross_margin_percent' and breakdown = 'overall' and period_kind = 'window'
)

select
    judged.breakdown,
    judged.breakdown_key,
    campaigns.name,
    campaigns.campaign_type,
    campaigns.status,
    judged.window_label,
    judged.period_start,
    judged.period_end,
    judged.treatment_users + judged.holdout_users as users,
    judged.treatment_users,
    judged.treatment_converted,
    100 * {{ safe_divide('judged.treatment_users', 'judged.treatment_users + judged.holdout_users') }}
        as treatment_percent,
    100 * {{ safe_divide('judged.treatment_converted', 'judged.treatment_users') }} as treatment_conversion_rate,
    judged.holdout_users,
    judged.holdout_converted,
    100 * {{ safe_divide('judged.holdout_converted', 'judged.holdout_users') }} as holdout_conversion_rate,
    judged.expected_conversions,
    judged.incremental_conversions,
    judged.incrementality_percent,
    judged.incrementality_percent_low,
    judged.incrementality_percent_high,
    judged.incrementality_percent_null_reason,
    judged.p_value,
    case
        when judged.revenue_gap is null
            then {{ safe_divide('judged.incremental_revenue', 'judged.incremental_conversions') }}
    end as revenue_per_incremental_user,
    judged.revenue_gap as revenue_per_incremental_user_null_reason,
    case
        when judged.cost_gap is null then {{ safe_divide('judged.spend', 'judged.incremental_conversions') }}
    end as cost_per_incremental_user,
    judged.cost_gap as cost_per_incremental_user_null_reason,
    case
        when coalesce(judged.revenue_gap, judged.cost_gap) is null
            then {{ safe_divide(
                'judged.incremental_revenue - cast(judged.spend as double)', 'judged.incremental_conversions'
            ) }}
    end as margin_per_incremental_user,
    coalesce(judged.revenue_gap, judged.cost_gap) as margin_per_incremental_user_null_reason,
    margins.value as gross_margin_percent,
    margins.null_reason as gross_margin_percent_null_reason,
    judged.as_of
from judged
left join {{ ref('dim_campaigns') }} as campaigns on judged.breakdown_key = cast(campaigns.campaign_id as varchar)
left join margins on true
