{{ config(incremental_strategy='days', meta={'days': 'changed_event_days'}) }}

-- How many events of each type a day has, and how old they were when they came in; 'all' is every type. Both in one
-- pass, for a day is read whole: a percentile can't be carried on.
{%- set loads = loads() -%}
{%- set days = changed_event_days(loads) %}

select
    coalesce(event_type, 'all') as event_type,
    event_date,
    count(*) as events,
    cast(sum(case when late_arrival then 1 else 0 end) as bigint) as late_events,
    percentile_cont(0.95) within group (order by ingestion_lag_seconds) as p95_lag_seconds,
    max(ingestion_lag_seconds) as max_lag_seconds,
    max(occurred_at) as newest_event_at,
    cast({{ loads.until }} as bigint) as load_id
from {{ ref('stg_events') }}
where load_id <= {{ loads.until }} and {{ in_days('event_date', days) }}
group by grouping sets ((event_type, event_date), (event_date)) -- noqa: PRS
