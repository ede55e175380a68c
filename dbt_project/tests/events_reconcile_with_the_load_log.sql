{{ config(tags=['real_time']) }}

-- What is stored is what was accepted, less what was replaced; and every day's volume is part of it.
with stored as (
    select count(*) as events from {{ ref('stg_events') }}
),

logged as (
    select coalesce(sum(accepted - replaced), 0) as events
    from {{ source('ops', 'load_log') }}
    where status = 'loaded' and target = 'events'
),

counted as (
    select coalesce(sum(events), 0) as events
    from {{ ref('int_daily_volumes') }}
    where event_type = 'all'
)

select
    stored.events as stored,
    logged.events as logged,
    counted.events as counted
from stored
cross join logged
cross join counted
where stored.events <> logged.events or stored.events <> counted.events
