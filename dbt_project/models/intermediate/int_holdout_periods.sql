{{ config(materialized='view') }}

-- Arms are those up to as_of, whenever a user came into them; an outcome counts in the windows of its day.
with parts as (
    select
        parts.*,
        windows.window_label,
        windows.period_start,
        windows.period_end,
        parts.event_date >= windows.period_start as is_in_window
    from {{ ref('int_holdout_parts') }} as parts
    cross join {{ ref('int_windows') }} as windows
),

arms as (
    select
        campaign_id,
        window_label,
        period_start,
        period_end,
        {% for arm in ['treatment', 'holdout'] %}
            sum({{ arm }}_users) as {{ arm }}_users,
            sum(case when is_in_window then {{ arm }}_converted else 0 end) as {{ arm }}_converted,
            sum(case when is_in_window then {{ arm }}_revenue else 0 end) as {{ arm }}_revenue,
            sum(case when is_in_window then {{ arm }}_missing_rate else 0 end) as {{ arm }}_missing_rate,
        {% endfor %}
        sum(both_arms_users) as both_arms_users
    from parts
    group by campaign_id, window_label, period_start, period_end
),

performance as (
    select
        breakdown_key,
        window_label,
        conversions,
        revenue,
        spend,
        cpc_null_reason
    from {{ ref('int_performance') }}
    where breakdown = 'campaign' and period_kind = 'window'
)

select
    arms.campaign_id,
    coalesce(campaigns.platform, 'unknown') as platform,
    coalesce(campaigns.campaign_type, 'unknown') as campaign_type,
    campaigns.holdout_share,
    arms.window_label,
    arms.period_start,
    arms.period_end,
    cast(arms.both_arms_users as bigint) as both_arms_users,
    {% for arm in ['treatment', 'holdout'] %}
        cast(arms.{{ arm }}_users as bigint) as {{ arm }}_users,
        cast(arms.{{ arm }}_converted as bigint) as {{ arm }}_converted,
        case when arms.{{ arm }}_missing_rate = 0 then cast(arms.{{ arm }}_revenue as double) end as {{ arm }}_revenue,
    {% endfor %}
    coalesce(performance.conversions, 0) as conversions,
    cast(performance.revenue as double) as revenue,
    cast(performance.spend as double) as spend,
    performance.breakdown_key is null
    or coalesce(performance.cpc_null_reason, '') = 'no_spend_reported' as is_without_spend,
    {{ as_of() }} as as_of
from arms
left join performance
    on
        cast(arms.campaign_id as varchar) = performance.breakdown_key
        and arms.window_label = performance.window_label
left join {{ ref('int_campaigns') }} as campaigns on arms.campaign_id = campaigns.campaign_id
