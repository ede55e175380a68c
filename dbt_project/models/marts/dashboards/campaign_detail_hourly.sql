{{ config(incremental_strategy='whole') }}

{%- set counts = ['sent', 'opens', 'clicks', 'conversions', 'conversions_missing_rate', 'conversion_revenue'] %}

with windows as (
    select * from {{ ref('int_windows') }}
),

sums as (
    select
        parts.campaign_id,
        windows.window_label,
        windows.period_start,
        windows.period_end,
        {% for name in counts %}
            sum(parts.{{ name }}) as {{ name }},
        {% endfor %}
        parts.hour_of_day
    from {{ ref('int_hourly_parts') }} as parts
    inner join windows on parts.event_date >= windows.period_start and parts.event_date <= windows.period_end
    group by parts.campaign_id, windows.window_label, windows.period_start, windows.period_end, parts.hour_of_day
),

shown as (
    select distinct
        campaign_id,
        window_label,
        period_start,
        period_end
    from sums
),

-- All hours of a campaign that has any.
filled as (
    select
        shown.campaign_id,
        shown.window_label,
        shown.period_start,
        shown.period_end,
        {% for name in counts %}
            coalesce(sums.{{ name }}, 0) as {{ name }},
        {% endfor %}
        hours.hour_of_day
    from shown
    cross join {{ hours_of_day() }}
    left join sums
        on
            shown.campaign_id = sums.campaign_id
            and shown.window_label = sums.window_label
            and hours.hour_of_day = sums.hour_of_day
),

judged as (
    select
        *,
        100 * {{ safe_divide('clicks', 'sent') }} as ctr,
        100 * {{ safe_divide('clicks', 'max(clicks) over (partition by campaign_id, window_label)') }}
            as percent_of_peak
    from filled
)

select
    judged.campaign_id,
    campaigns.name,
    campaigns.campaign_type,
    campaigns.status,
    judged.window_label,
    judged.period_start,
    judged.period_end,
    cast(judged.hour_of_day as bigint) as hour_of_day,
    {% for name in ['sent', 'opens', 'clicks', 'conversions'] %}
        cast(judged.{{ name }} as bigint) as {{ name }},
    {% endfor %}
    case when judged.conversions_missing_rate = 0 then cast(judged.conversion_revenue as decimal(18, 4)) end as revenue,
    judged.ctr,
    case when judged.ctr is null then 'zero_denominator' end as ctr_null_reason,
    judged.percent_of_peak,
    {{ heat_level('judged.percent_of_peak') }} as heat_level,
    {{ as_of() }} as as_of
from judged
left join {{ ref('int_campaigns') }} as campaigns on judged.campaign_id = campaigns.campaign_id
