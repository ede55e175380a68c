{{ config(incremental_strategy='whole') }}


with delivery as (
    select * from {{ ref('int_performance') }}
    where period_kind = 'window'
),

-- What users who were held back clicked nevertheless.
held_out_clicks as (
    select
        parts.breakdown,
        parts.breakdown_key,
        windows.window_label,
        sum(parts.held_out_clicks) as held_out_clicks
    from {{ ref('int_daily_parts') }} as parts
    inner join {{ ref('int_windows') }} as windows
        on parts.event_date >= windows.period_start and parts.event_date <= windows.period_end
    group by parts.breakdown, parts.breakdown_key, windows.window_label
),

effects as (
    select
        effects.*,
        -- Groups are read over campaigns with a holdout alone, which their delivery does not tell apart.
        case when effects.breakdown = 'campaign' then cast(coalesce(delivery.impressions, 0) as double) end
            as impressions,
        case when effects.breakdown = 'campaign' then cast(coalesce(delivery.clicks, 0) as double) end as clicks,
        case when effects.breakdown <> 'campaign' then 'input_not_available_for_breakdown' end as delivery_gap,
        cast(coalesce(held_out_clicks.held_out_clicks, 0) as double) as held_out_clicks,
        -- How many users were treated for each that was held back.
        {{ safe_divide('effects.treatment_users', 'effects.holdout_users') }} as scale,
        effects.incrementality_percent_null_reason as gap,
        case
            when effects.spend is null then coalesce(delivery.cpc_null_reason, 'no_spend_reported')
        end as spend_gap,
        case when effects.treatment_revenue is null or effects.holdout_revenue is null then 'missing_rate' end
            as revenue_gap
    from {{ ref('incrementality') }} as effects
    left join delivery
        on
            effects.breakdown = delivery.breakdown
            and effects.breakdown_key = delivery.breakdown_key
            and effects.window_label = delivery.window_label
    left join held_out_clicks
        on
            effects.breakdown = held_out_clicks.breakdown
            and effects.breakdown_key = held_out_clicks.breakdown_key
            and effects.window_label = held_out_clicks.window_label
    where effects.period_kind = 'window'
),

{%- set with_revenue = 'cast(treatment_revenue as double)' -%}
{%- set without_revenue = 'cast(holdout_revenue as double) * scale' -%}
{%- set lines = {
    'impressions': ['impressions', 'cast(0 as double)', 'delivery_gap'],
    'clicks': ['clicks', 'held_out_clicks * scale', 'coalesce(delivery_gap, gap)'],
    'conversions': ['cast(treatment_converted as double)', 'expected_conversions', 'gap'],
    'revenue': [with_revenue, without_revenue, 'coalesce(gap, revenue_gap)'],
    'cost': ['cast(spend as double)', 'cast(0 as double)', 'spend_gap'],
    'net_revenue': [
        with_revenue ~ ' - cast(spend as double)', without_revenue, 'coalesce(gap, revenue_gap, spend_gap)',
    ],
    'roas': [safe_divide('treatment_revenue', 'spend'), 'cast(null as double)', 'coalesce(gap, revenue_gap, spend_gap)'],
} %}

lines as (
    {% for line, parts in lines.items() %}
        select
            effects.*,
            {{ loop.index }} as line_number,
            '{{ line }}' as line,
            {{ parts[0] }} as with_campaign,
            case when {{ parts[2] }} is null then {{ parts[1] }} end as without_campaign,
            {% if line == 'roas' %}
                case
                    when {{ parts[2] }} is null
                        then {{ safe_divide(with_revenue ~ ' - ' ~ without_revenue, 'spend') }}
                end as increment,
                {{ parts[2] }} as increment_null_reason,
                cast(null as double) as increment_percent,
                coalesce({{ parts[2] }}, 'no_spend_in_holdout') as increment_percent_null_reason
            {% else %}
                case when {{ parts[2] }} is null then {{ parts[0] }} - ({{ parts[1] }}) end as increment,
                {{ parts[2] }} as increment_null_reason,
                case
                    when {{ parts[2] }} is null
                        then 100 * {{ safe_divide(parts[0] ~ ' - (' ~ parts[1] ~ ')', parts[0]) }}
                end as increment_percent,
                coalesce({{ parts[2] }}, case when {{ parts[0] }} = 0 then 'zero_denominator' end)
                    as increment_percent_null_reason
            {% endif %}
        from effects
        {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    lines.breakdown,
    lines.breakdown_key,
    campaigns.name,
    campaigns.campaign_type,
    campaigns.status,
    lines.window_label,
    lines.period_start,
    lines.period_end,
    cast(lines.line_number as bigint) as line_number,
    lines.line,
    lines.with_campaign,
    lines.without_campaign,
    lines.increment,
    case
        when lines.increment is null then coalesce(lines.increment_null_reason, 'zero_denominator')
    end as increment_null_reason,
    lines.increment_percent,
    case
        when lines.increment_percent is null then coalesce(lines.increment_percent_null_reason, 'zero_denominator')
    end as increment_percent_null_reason,
    lines.as_of
from lines
left join {{ ref('int_campaigns') }} as campaigns on lines.breakdown_key = cast(campaigns.campaign_id as varchar)
