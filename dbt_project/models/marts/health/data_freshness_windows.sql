{{ config(incremental_strategy='whole') }}

with groups as (
    select distinct event_type
    from {{ ref('int_daily_volumes') }}
    where event_date <= {{ as_of_date() }}
),

volumes as (
    select
        groups.event_type,
        windows.window_label,
        windows.period_start,
        windows.period_end,
        coalesce(sum(days.events), 0) as events,
        coalesce(sum(days.late_events), 0) as late_events,
        max(days.max_lag_seconds) as max_lag_seconds,
        max(days.newest_event_at) as newest_event_at,
        max(case when windows.period_start = windows.period_end then days.p95_lag_seconds end) as p95_of_the_day
    from groups
    cross join {{ ref('int_windows') }} as windows
    left join {{ ref('int_daily_volumes') }} as days
        on
            groups.event_type = days.event_type
            and windows.period_start <= days.event_date
            and windows.period_end >= days.event_date
    group by groups.event_type, windows.window_label, windows.period_start, windows.period_end
),

lags_of_windows as (
    select
        lags.event_type,
        windows.window_label,
        cast(lags.lag_microseconds as double) / 1000000 as lag_seconds,
        lags.events
    from {{ ref('int_event_lags') }} as lags
    inner join {{ ref('int_windows') }} as windows
        on lags.event_date >= windows.period_start and lags.event_date <= windows.period_end
),

lags as (
    select
        coalesce(event_type, 'all') as event_type,
        window_label,
        lag_seconds,
        sum(events) as events
    from lags_of_windows
    group by grouping sets ((event_type, window_label, lag_seconds), (window_label, lag_seconds)) -- noqa: PRS
),

counted as (
    select
        *,
        sum(events) over (partition by event_type, window_label order by lag_seconds) as events_up_to,
        0.95 * (sum(events) over (partition by event_type, window_label) - 1) as place
    from lags
),

-- The percentile lies between the event at its place, counted from 0, and the next one.
neighbors as (
    select
        event_type,
        window_label,
        max(place) as place,
        min(case when events_up_to > floor(place) then lag_seconds end) as lag_before,
        min(case when events_up_to > ceil(place) then lag_seconds end) as lag_after
    from counted
    group by event_type, window_label
),

percentiles as (
    select
        event_type,
        window_label,
        cast(lag_before + (place - floor(place)) * (lag_after - lag_before) as double) as p95_lag_seconds
    from neighbors
)

select
    volumes.event_type,
    volumes.window_label,
    volumes.period_start,
    volumes.period_end,
    cast(volumes.events as bigint) as events,
    cast(volumes.late_events as bigint) as late_events,
    least(coalesce(volumes.p95_of_the_day, percentiles.p95_lag_seconds), volumes.max_lag_seconds) / 60
        as p95_lag_minutes,
    volumes.max_lag_seconds / 60 as max_lag_minutes,
    case when volumes.events = 0 then 'no_events' end as null_reason,
    volumes.newest_event_at,
    {{ as_of() }} as as_of
from volumes
left join percentiles
    on volumes.event_type = percentiles.event_type and volumes.window_label = percentiles.window_label
