{{ config(materialized='view') }}

{%- set metrics = ['ctr', 'cpc', 'conversion_rate', 'roas', 'avg_frequency'] -%}
{%- set series = ['impressions', 'clicks', 'conversions', 'revenue'] %}

with performance as (
    select * from {{ ref('campaign_performance') }}
),

week as (
    select
        min(period_start) as period_start,
        max(period_end) as period_end
    from performance
    where window_label = '7d'
),

-- The graph of the last seven days, whatever the window.
trends as (
    select
        daily.campaign_id,
        {% for name in series %}
            {{ ordered_list('daily.' ~ name, 'daily.event_date') }} as daily_{{ name }},
        {% endfor %}
        {{ ordered_list('daily.event_date', 'daily.event_date') }} as daily_dates
    from {{ ref('campaign_performance_daily') }} as daily
    inner join week on daily.event_date >= week.period_start and daily.event_date <= week.period_end
    group by daily.campaign_id
),

created as (
    select
        campaign_id,
        min(performed_at) as created_at
    from {{ ref('compliance_audit_log') }}
    where action = 'create'
    group by campaign_id
)

select
    performance.campaign_id,
    performance.name,
    performance.campaign_type,
    performance.platform,
    performance.status,
    created.created_at,
    case when created.campaign_id is null then 'no_action_recorded' end as created_at_null_reason,
    campaigns.changed_at,
    performance.budget,
    performance.budget_spend,
    performance.budget_utilization_null_reason as budget_null_reason,
    performance.window_label,
    performance.period_start,
    performance.period_end,
    performance.impressions,
    performance.clicks,
    performance.conversions,
    performance.revenue,
    {% for metric in metrics %}
        performance.{{ metric }},
        performance.{{ metric }}_null_reason,
    {% endfor %}
    trends.daily_dates,
    {% for name in series %}
        trends.daily_{{ name }},
    {% endfor %}
    performance.as_of
from performance
left join {{ ref('dim_campaigns') }} as campaigns on performance.campaign_id = campaigns.campaign_id
left join trends on performance.campaign_id = trends.campaign_id
left join created on performance.campaign_id = created.campaign_id
