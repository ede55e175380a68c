{{ config(incremental_strategy='whole') }}

{%- set same_weekday = [-7, -14, -21, -28] -%}

with volumes as (
    select * from {{ ref('int_daily_volumes') }}
    where event_date <= {{ as_of_date() }}
),

-- What is expected of a day: the median of the same weekday of the last four weeks.
expectations as (
    select
        volumes.event_type,
        volumes.event_date,
        percentile_cont(0.5) within group (order by earlier.events) as expected_events
    from volumes
    inner join volumes as earlier
        on
            volumes.event_type = earlier.event_type
            and earlier.event_date in (
                {%- for days in same_weekday %}
                    {{ plus_days('volumes.event_date', days) }}{{ ',' if not loop.last }}
                {%- endfor %}
            )
    group by volumes.event_type, volumes.event_date
),

final as (
    select
        volumes.event_type,
        volumes.event_date,
        volumes.events,
        volumes.late_events,
        -- Interpolating between equal lags may exceed them by a rounding error.
        least(volumes.p95_lag_seconds, volumes.max_lag_seconds) / 60 as p95_lag_minutes,
        volumes.max_lag_seconds / 60 as max_lag_minutes,
        volumes.newest_event_at,
        case
            when volumes.event_date = max(volumes.event_date) over (partition by volumes.event_type)
                then greatest(0.0, 60 * {{ hours_between('volumes.newest_event_at', as_of()) }})
        end as minutes_since_newest,
        expectations.expected_events,
        -- Where nothing can be expected nothing is complete either: least alone would pass the null over.
        case
            when expectations.expected_events > 0
                then least(100.0, 100 * volumes.events / expectations.expected_events)
        end as completeness_percent
    from volumes
    left join expectations
        on volumes.event_type = expectations.event_type and volumes.event_date = expectations.event_date
)

select
    event_type,
    event_date,
    cast(events as bigint) as events,
    cast(late_events as bigint) as late_events,
    p95_lag_minutes,
    max_lag_minutes,
    newest_event_at,
    minutes_since_newest,
    expected_events,
    completeness_percent,
    coalesce(completeness_percent < 90, false) as is_incomplete,
    {{ as_of() }} as as_of
from final
