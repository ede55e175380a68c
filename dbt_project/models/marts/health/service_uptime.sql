{{ config(incremental_strategy='periods', meta={'by_as_of': true, 'days': 'changed_probe_days'}) }}

{%- set days = changed_probe_days(loads()) -%}
{%- set window_start = plus_seconds(as_of(), -3600 * (uptime_hours() | int)) -%}
{%- set services = {'overall': "'all'", 'service': 'service'} %}

with statements as (
    select
        coalesce(service, 'unknown') as service,
        {{ counted_at() }} as counted_at,
        {{ is_clock_skewed() }} as is_skewed,
        coalesce(status_code between 200 and 299, false) as is_answered,
        response_ms
    from {{ ref('stg_service_probes') }}
    where valid_to is null and {{ can_count_in(days) }}
),

probes as (
    select
        service,
        cast(counted_at as date) as event_date,
        counted_at > {{ window_start }} as is_in_window,
        {{ in_days('cast(counted_at as date)', days) }} as is_in_days,
        is_skewed,
        coalesce(is_answered and response_ms <= {{ answer_milliseconds() }}, false) as is_ok,
        coalesce(is_answered and response_ms > {{ answer_milliseconds() }}, false) as is_slow,
        response_ms
    from statements
    where
        counted_at <= {{ as_of() }}
        and (counted_at > {{ window_start }} or {{ in_days('cast(counted_at as date)', days) }})
),

-- The window of the whole is there without a probe, too.
counted as (
    {% for breakdown, service in services.items() %}
        select
            '{{ breakdown }}' as breakdown,
            {{ service }} as breakdown_key,
            'window' as period_kind,
            '{{ uptime_hours() }}h' as window_label,
            cast({{ window_start }} as date) as period_start,
            {{ as_of_date() }} as period_end,
            {{ probe_counts('is_in_window') }}
        from probes
        {{ 'group by service' if breakdown == 'service' }}
        union all
        select
            '{{ breakdown }}' as breakdown,
            {{ service }} as breakdown_key,
            'daily' as period_kind,
            'day' as window_label,
            event_date as period_start,
            event_date as period_end,
            {{ probe_counts('is_in_days') }}
        from probes
        where is_in_days
        group by {{ 'service, ' if breakdown == 'service' }}event_date
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

-- Of a clock that ran ahead nobody knows which probes belong to the period.
judged as (
    select
        *,
        case when skewed_probes > 0 then 'clock_skew' when probes = 0 then 'no_probes' end as uptime_percent_null_reason
    from counted
),

divided as (
    select
        *,
        case
            when uptime_percent_null_reason is null then 100 * {{ safe_divide('ok_probes', 'probes') }}
        end as uptime_percent
    from judged
)

select
    divided.breakdown,
    divided.breakdown_key,
    divided.period_kind,
    divided.window_label,
    divided.period_start,
    divided.period_end,
    cast(divided.probes as bigint) as probes,
    cast(divided.ok_probes as bigint) as ok_probes,
    cast(divided.slow_probes as bigint) as slow_probes,
    cast(divided.skewed_probes as bigint) as skewed_probes,
    divided.p50_response_ms,
    divided.p95_response_ms,
    divided.max_response_ms,
    divided.uptime_percent,
    divided.uptime_percent_null_reason,
    {{ metric_status('divided.uptime_percent') }} as status,
    {{ as_of() }} as as_of
from divided
inner join {{ ref('metric_dictionary') }} as dictionary on dictionary.metric_id = 'uptime_percent'
