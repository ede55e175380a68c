{{ config(incremental_strategy='days', meta={'days': 'changed_event_days'}) }}

-- How long events took to come, counted by length: a percentile of many days can't be had from those of the days.
-- Lengths are rounded up to three digits, so that there are few of them.
{%- set loads = loads() -%}
{%- set days = changed_event_days(loads) %}

with lags as (
    select
        event_type,
        event_date,
        cast(round(1000000 * ingestion_lag_seconds) as bigint) as lag_microseconds
    from {{ ref('stg_events') }}
    where load_id <= {{ loads.until }} and {{ in_days('event_date', days) }}
)

select
    event_type,
    event_date,
    {{ rounded_up_to_three_digits('lag_microseconds') }} as lag_microseconds,
    count(*) as events
from lags
group by event_type, event_date, {{ rounded_up_to_three_digits('lag_microseconds') }}
