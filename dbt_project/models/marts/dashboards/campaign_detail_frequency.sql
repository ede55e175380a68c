{{ config(incremental_strategy='whole') }}

{%- set buckets = {'1': 'messages = 1', '2': 'messages = 2', '3': 'messages = 3', '4+': 'messages >= 4'} -%}

with users as (
    select
        days.campaign_id,
        days.user_id,
        windows.window_label,
        windows.period_start,
        windows.period_end,
        sum(days.sent) as messages
    from {{ ref('int_campaign_user_day') }} as days
    inner join {{ ref('int_windows') }} as windows
        on days.event_date >= windows.period_start and days.event_date <= windows.period_end
    where days.sent > 0
    group by days.campaign_id, days.user_id, windows.window_label, windows.period_start, windows.period_end
),

sums as (
    select
        campaign_id,
        window_label,
        period_start,
        period_end,
        count(*) as users_reached,
        {% for bucket, condition in buckets.items() %}
            sum(case when {{ condition }} then 1 else 0 end) as users_{{ loop.index }},
        {% endfor %}
        sum(messages) as sent
    from users
    group by campaign_id, window_label, period_start, period_end
),

frequencies as (
    {% for bucket in buckets %}
        select
            *,
            '{{ bucket }}' as frequency,
            users_{{ loop.index }} as users
        from sums
        {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    frequencies.campaign_id,
    campaigns.name,
    campaigns.campaign_type,
    campaigns.status,
    frequencies.window_label,
    frequencies.period_start,
    frequencies.period_end,
    frequencies.frequency,
    cast(frequencies.users as bigint) as users,
    100 * {{ safe_divide('frequencies.users', 'frequencies.users_reached') }} as users_percent,
    {{ safe_divide('frequencies.sent', 'frequencies.users_reached') }} as avg_frequency,
    {{ as_of() }} as as_of
from frequencies
left join {{ ref('int_campaigns') }} as campaigns on frequencies.campaign_id = campaigns.campaign_id
