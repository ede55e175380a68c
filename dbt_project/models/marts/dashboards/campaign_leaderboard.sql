{{ config(materialized='view') }}

with campaigns as (
    select * from {{ ref('dim_campaigns') }}
),

performance as (
    select * from {{ ref('campaign_performance') }}
),

windows as (
    select distinct
        window_label,
        period_start,
        period_end,
        as_of
    from performance
),

-- Campaigns that nothing has happened to are there as well: those that are scheduled.
listed as (
    select
        campaign_id,
        window_label
    from performance
    union
    select
        campaigns.campaign_id,
        windows.window_label
    from campaigns
    cross join windows
),

entries as (
    select
        listed.campaign_id,
        listed.window_label,
        'all' as segment,
        performance.roas,
        performance.ctr,
        coalesce(performance.conversions, 0) as conversions,
        case when performance.campaign_id is null then 0 else performance.revenue end as revenue,
        performance.cac,
        effects.incrementality_percent,
        performance.budget_spend,
        performance.budget,
        {% for name in ['roas', 'ctr', 'cac'] %}
            case when performance.campaign_id is null then 'no_activity' else performance.{{ name }}_null_reason end
                as {{ name }}_null_reason,
        {% endfor %}
        case
            when performance.campaign_id is null then 'no_activity'
            when effects.breakdown_key is null then 'no_holdout'
            else effects.incrementality_percent_null_reason
        end as incrementality_percent_null_reason,
        case
            when performance.campaign_id is null then 'no_activity' else performance.budget_utilization_null_reason
        end as budget_null_reason
    from listed
    left join performance
        on listed.campaign_id = performance.campaign_id and listed.window_label = performance.window_label
    left join {{ ref('incrementality') }} as effects
        on
            effects.breakdown = 'campaign'
            and cast(listed.campaign_id as varchar) = effects.breakdown_key
            and listed.window_label = effects.window_label
    union all
    select
        campaign_id,
        window_label,
        segment,
        cast(null as double) as roas,
        ctr,
        conversions,
        revenue,
        cast(null as double) as cac,
        cast(null as double) as incrementality_percent,
        cast(null as decimal(18, 4)) as budget_spend,
        cast(null as decimal(18, 4)) as budget,
        'input_not_available_for_breakdown' as roas_null_reason,
        ctr_null_reason,
        'input_not_available_for_breakdown' as cac_null_reason,
        'input_not_available_for_breakdown' as incrementality_percent_null_reason,
        'input_not_available_for_breakdown' as budget_null_reason
    from {{ ref('campaign_detail_segments') }}
)

select
    row_number() over (
        partition by entries.window_label, entries.segment
        order by entries.roas desc nulls last, entries.revenue desc nulls last, entries.campaign_id asc
    ) as rank,
    entries.campaign_id,
    campaigns.name,
    campaigns.campaign_type,
    campaigns.status,
    entries.segment,
    entries.window_label,
    windows.period_start,
    windows.period_end,
    entries.roas,
    entries.roas_null_reason,
    entries.ctr,
    entries.ctr_null_reason,
    entries.conversions,
    entries.revenue,
    entries.cac,
    entries.cac_null_reason,
    entries.incrementality_percent,
    entries.incrementality_percent_null_reason,
    entries.budget_spend,
    entries.budget,
    entries.budget_null_reason,
    windows.as_of
from entries
inner join windows on entries.window_label = windows.window_label
left join campaigns on entries.campaign_id = campaigns.campaign_id
