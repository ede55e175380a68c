{{ config(materialized='view') }}

{%- set arms = ['treatment', 'holdout'] %}

-- Arms are those up to the period's end, whenever a user came into them; an outcome counts on its day.
with parts as (
    select * from {{ ref('int_holdout_parts') }}
),

windows as (
    select
        parts.campaign_id,
        parts.segment,
        'window' as period_kind,
        windows.window_label,
        windows.period_start,
        windows.period_end,
        {% for arm in arms %}
            sum(parts.{{ arm }}_users) as {{ arm }}_users,
            {% for name, column in {
                'converted': 'last_' ~ arm ~ '_converted',
                'revenue': arm ~ '_revenue',
                'missing_rate': arm ~ '_missing_rate',
            }.items() %}
                sum(case when parts.event_date >= windows.period_start then parts.{{ column }} else 0 end)
                    as {{ arm }}_{{ name }},
            {% endfor %}
        {% endfor %}
        sum(parts.both_arms_users) as both_arms_users,
        true as is_eventful
    from parts
    cross join {{ ref('int_windows') }} as windows
    group by parts.campaign_id, parts.segment, windows.window_label, windows.period_start, windows.period_end
),

first_days as (
    select
        campaign_id,
        segment,
        min(event_date) as first_date
    from parts
    group by campaign_id, segment
),

eventful_days as (
    select distinct event_date from parts
),

-- From a campaign's first day on, every day on which any campaign has something to tell.
campaign_days as (
    select
        first_days.campaign_id,
        first_days.segment,
        eventful_days.event_date
    from first_days
    inner join eventful_days on first_days.first_date <= eventful_days.event_date
),

days as (
    select
        campaign_days.campaign_id,
        campaign_days.segment,
        'daily' as period_kind,
        'day' as window_label,
        campaign_days.event_date as period_start,
        campaign_days.event_date as period_end,
        {% for arm in arms %}
            sum(parts.{{ arm }}_users) over until_day as {{ arm }}_users,
            {% for name in ['converted', 'revenue', 'missing_rate'] %}
                coalesce(parts.{{ arm }}_{{ name }}, 0) as {{ arm }}_{{ name }},
            {% endfor %}
        {% endfor %}
        sum(parts.both_arms_users) over until_day as both_arms_users,
        parts.campaign_id is not null as is_eventful
    from campaign_days
    left join parts
        on
            campaign_days.campaign_id = parts.campaign_id
            and campaign_days.segment = parts.segment
            and campaign_days.event_date = parts.event_date
    window until_day as (
        partition by campaign_days.campaign_id, campaign_days.segment
        order by campaign_days.event_date rows between unbounded preceding and current row
    )
),

segments as (
    select * from windows
    union all
    select * from days
),

-- The whole campaign has no segment.
campaigns as (
    {% for segment in ['cast(null as varchar)', 'segment'] %}
        select
            campaign_id,
            {{ segment }} as segment,
            period_kind,
            window_label,
            period_start,
            period_end,
            {% for arm in arms %}
                {% for name in ['users', 'converted', 'revenue', 'missing_rate'] %}
                    sum({{ arm }}_{{ name }}) as {{ arm }}_{{ name }},
                {% endfor %}
            {% endfor %}
            sum(both_arms_users) as both_arms_users,
            max(case when is_eventful then 1 else 0 end) = 1 as is_eventful
        from segments
        group by
            campaign_id, {{ segment ~ ', ' if segment == 'segment' }}period_kind, window_label, period_start, period_end
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

-- Platforms report no segments.
performance as (
    select
        breakdown_key,
        window_label,
        period_end,
        conversions,
        revenue,
        spend,
        cpc_null_reason
    from {{ ref('int_performance') }}
    where breakdown = 'campaign'
)

select
    campaigns.campaign_id,
    campaigns.segment,
    coalesce(attributes.platform, 'unknown') as platform,
    coalesce(attributes.campaign_type, 'unknown') as campaign_type,
    attributes.holdout_share,
    campaigns.period_kind,
    campaigns.window_label,
    campaigns.period_start,
    campaigns.period_end,
    campaigns.is_eventful,
    cast(coalesce(campaigns.both_arms_users, 0) as bigint) as both_arms_users,
    {% for arm in arms %}
        cast(coalesce(campaigns.{{ arm }}_users, 0) as bigint) as {{ arm }}_users,
        cast(campaigns.{{ arm }}_converted as bigint) as {{ arm }}_converted,
        case when campaigns.{{ arm }}_missing_rate = 0 then cast(campaigns.{{ arm }}_revenue as double) end
            as {{ arm }}_revenue,
    {% endfor %}
    coalesce(performance.conversions, 0) as conversions,
    case when performance.breakdown_key is null then 0 else cast(performance.revenue as double) end as revenue,
    cast(performance.spend as double) as spend,
    performance.breakdown_key is null
    or coalesce(performance.cpc_null_reason, '') = 'no_spend_reported' as is_without_spend,
    {{ as_of() }} as as_of
from campaigns
left join performance
    on
        case when campaigns.segment is null then cast(campaigns.campaign_id as varchar) end = performance.breakdown_key
        and campaigns.window_label = performance.window_label
        and campaigns.period_end = performance.period_end
left join {{ ref('int_campaigns') }} as attributes on campaigns.campaign_id = attributes.campaign_id
