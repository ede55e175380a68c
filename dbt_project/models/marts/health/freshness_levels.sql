{{ config(incremental_strategy='whole') }}

with delays as (
    select * from {{ ref('int_event_delays') }}
    where event_date <= {{ as_of_date() }}
),

targets as (
    select distinct
        event_group,
        target_seconds,
        limit_seconds
    from {{ ref('freshness_targets') }}
)

select
    delays.event_group,
    delays.event_date,
    delays.events,
    targets.target_seconds,
    100 * {{ safe_divide('delays.events_in_target', 'delays.events') }} as in_target_percent,
    targets.limit_seconds,
    100 * {{ safe_divide('delays.events_in_limit', 'delays.events') }} as in_limit_percent,
    case
        when 100 * delays.events_in_limit < 99 * delays.events then 'critical'
        when 100 * delays.events_in_target < 95 * delays.events then 'missed'
        else 'met'
    end as status,
    {{ as_of() }} as as_of
from delays
inner join targets on delays.event_group = targets.event_group
