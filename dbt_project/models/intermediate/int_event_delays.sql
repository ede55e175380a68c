{{ config(incremental_strategy='days', meta={'days': 'changed_event_days'}) }}

-- How many events of a group came in time, of those that came within a day: what comes later is late, not slow.
{%- set loads = loads() -%}
{%- set days = changed_event_days(loads) %}

select
    targets.event_group,
    events.event_date,
    count(*) as events,
    cast(sum(case when events.ingestion_lag_seconds <= targets.target_seconds then 1 else 0 end) as bigint)
        as events_in_target,
    cast(sum(case when events.ingestion_lag_seconds <= targets.limit_seconds then 1 else 0 end) as bigint)
        as events_in_limit
from {{ ref('stg_events') }} as events
inner join {{ ref('freshness_targets') }} as targets on events.event_type = targets.event_type
where not events.late_arrival and events.load_id <= {{ loads.until }} and {{ in_days('events.event_date', days) }}
group by targets.event_group, events.event_date
