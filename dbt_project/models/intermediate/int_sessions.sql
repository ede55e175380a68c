{{ config(incremental_strategy='keys', unique_key=['user_id', 'session_id'], meta={'keep_if': 'events > 0'}) }}

{%- set loads = loads() -%}

with events as (
    select * from {{ ref('stg_events') }}
    where session_id is not null and load_id <= {{ loads.until }}
),

{% if loads.rebuild %}
    touched_events as (
        select * from events
    )
{% else %}
    -- Sessions of new events, and those that may have held an event that a load deleted.
    touched as (
        select
            user_id,
            session_id
        from events
        where {{ comes_in(loads) }}
        union
        select
            sessions.user_id,
            sessions.session_id
        from {{ this }} as sessions
        inner join {{ source('ops', 'touched_days') }} as rewritten
            on
                sessions.user_id = rewritten.user_id
                and cast(sessions.started_at as date) <= rewritten.event_date
                and cast(sessions.ended_at as date) >= rewritten.event_date
        where {{ is_new(loads, 'rewritten') }}
    ),

    touched_events as (
        select
            touched.user_id,
            touched.session_id,
            events.event_id,
            events.event_type,
            events.occurred_at,
            events.device_platform,
            events.region
        from touched
        left join events on touched.user_id = events.user_id and touched.session_id = events.session_id
    )
{% endif %}

select
    user_id,
    session_id,
    min(occurred_at) as started_at,
    max(occurred_at) as ended_at,
    3600 * {{ hours_between('min(occurred_at)', 'max(occurred_at)') }} as seconds,
    count(event_id) as events,
    {% for name, event_type in {
        'engagements': 'user_engaged', 'clicks': 'campaign_clicked', 'purchases': 'user_purchased',
    }.items() %}
        cast(sum(case when event_type = '{{ event_type }}' then 1 else 0 end) as bigint) as {{ name }},
    {% endfor %}
    {{ first_value_by('device_platform', ['occurred_at', 'event_id']) }} as device_platform,
    {{ first_value_by('region', ['occurred_at', 'event_id']) }} as region
from touched_events
group by user_id, session_id
