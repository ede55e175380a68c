{{ config(incremental_strategy='whole') }}

{%- set counts = ['sent', 'clicks', 'conversions', 'conversions_missing_rate', 'conversion_revenue'] -%}
{%- set users = {'users_reached': 'sent', 'users_clicked': 'clicked', 'users_converted': 'converted'} -%}
{%- set shown = 'closed_by_load_id is null and event_date <= ' ~ as_of_date() %}

with windows as (
    select * from {{ ref('int_windows') }}
),

-- All windows end with the day of as_of, so a user is in those that begin by the latest day of the kind.
last_days as (
    select
        campaign_id,
        segment,
        {% for name, kind in users.items() %}
            max(case when kind = '{{ kind }}' then event_date end) as {{ name }},
        {% endfor %}
        user_id
    from ({{ performance_facts(shown) }}) as facts
    where kind in ({{ "'" ~ users.values() | join("', '") ~ "'" }})
    group by campaign_id, segment, user_id
),

user_sums as (
    select
        last_days.campaign_id,
        last_days.segment,
        {% for name in users %}
            sum(case when last_days.{{ name }} >= windows.period_start then 1 else 0 end) as {{ name }},
        {% endfor %}
        windows.window_label
    from last_days
    cross join windows
    group by last_days.campaign_id, last_days.segment, windows.window_label
),

count_sums as (
    select
        parts.campaign_id,
        parts.segment,
        {% for name in counts %}
            sum(parts.{{ name }}) as {{ name }},
        {% endfor %}
        windows.window_label
    from {{ ref('int_hourly_parts') }} as parts
    inner join windows on parts.event_date >= windows.period_start and parts.event_date <= windows.period_end
    group by parts.campaign_id, parts.segment, windows.window_label
)

select
    counts.campaign_id,
    campaigns.name,
    campaigns.campaign_type,
    campaigns.status,
    campaigns.target_segment,
    counts.segment,
    counts.window_label,
    windows.period_start,
    windows.period_end,
    cast(users.users_reached as bigint) as users_reached,
    cast(counts.sent as bigint) as sent,
    cast(counts.clicks as bigint) as clicks,
    cast(counts.conversions as bigint) as conversions,
    case when counts.conversions_missing_rate = 0 then cast(counts.conversion_revenue as decimal(18, 4)) end as revenue,
    cast(users.users_clicked as bigint) as users_clicked,
    cast(users.users_converted as bigint) as users_converted,
    100 * {{ safe_divide('counts.clicks', 'counts.sent') }} as ctr,
    case when counts.sent = 0 then 'zero_denominator' end as ctr_null_reason,
    100 * {{ safe_divide('users.users_converted', 'users.users_clicked') }} as conversion_rate,
    case when users.users_clicked = 0 then 'zero_denominator' end as conversion_rate_null_reason,
    {{ as_of() }} as as_of
from count_sums as counts
inner join windows on counts.window_label = windows.window_label
inner join user_sums as users
    on
        counts.campaign_id = users.campaign_id
        and counts.segment = users.segment
        and counts.window_label = users.window_label
left join {{ ref('int_campaigns') }} as campaigns on counts.campaign_id = campaigns.campaign_id
