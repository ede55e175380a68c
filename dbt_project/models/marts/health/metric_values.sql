{{ config(
    incremental_strategy='periods',
    meta={'by_as_of': true, 'days': 'changed_metric_days', 'nightly': 'nightly_metrics'},
) }}

{%- set loads = loads() -%}
{%- set days = changed_metric_days(loads) -%}

with performance as (
    select * from {{ ref('int_performance') }}
    where period_kind = 'window' or {{ in_days('period_start', days) }}
),

freshness as (
    select * from {{ ref('data_freshness') }}
    where {{ in_days('event_date', days) }}
),

long_values as (
    {% for metric in delivery_metrics() %}
        select
            '{{ metric }}' as metric_id,
            breakdown,
            breakdown_key,
            period_kind,
            window_label,
            period_start,
            period_end,
            {{ metric }}_numerator as numerator,
            {{ metric }}_denominator as denominator,
            {{ metric }}_value as value,
            {{ metric }}_null_reason as null_reason,
            cast(null as double) as half_width,
            {{ as_of() }} as as_of
        from performance
        union all
    {% endfor %}
    select * from {{ ref('int_nightly_metrics') }}
    {{ "where period_kind <> 'daily'" if not is_nightly() }}
    union all
    select * from {{ ref('int_operations_metrics') }}
    where period_kind = 'window' or {{ in_days('period_start', days) }}
    union all
    select
        'data_freshness_minutes' as metric_id,
        case when event_type = 'all' then 'overall' else 'event_type' end as breakdown,
        event_type as breakdown_key,
        'daily' as period_kind,
        'day' as window_label,
        event_date as period_start,
        event_date as period_end,
        p95_lag_minutes as numerator,
        cast(null as double) as denominator,
        p95_lag_minutes as value,
        cast(null as varchar) as null_reason,
        cast(null as double) as half_width,
        {{ as_of() }} as as_of
    from freshness
),

periods as (
    select distinct
        period_start,
        period_end
    from long_values
),

-- Of a window: what its days have brought, of what was expected of them, no day counting for more than all of it.
volumes as (
    select
        periods.period_start,
        periods.period_end,
        sum(days.expected_events) as expected,
        sum(case when days.expected_events > 0 then least(days.events, days.expected_events) end) as received
    from periods
    inner join {{ ref('data_freshness') }} as days
        on
            days.event_type = 'all'
            and periods.period_start <= days.event_date
            and periods.period_end >= days.event_date
    group by periods.period_start, periods.period_end
),

-- Of a metric: its newest event, of those that its sources name.
newest_events as (
    select
        dictionary.metric_id,
        max(days.newest_event_at) as newest_event_at
    from {{ ref('metric_dictionary') }} as dictionary
    inner join {{ ref('data_freshness') }} as days
        on
            case when dictionary.sources = 'every event' then '; all; ' else concat('; ', dictionary.sources, '; ') end
            like concat('%; ', days.event_type, '; %')
    where days.event_date <= {{ as_of_date() }}
    group by dictionary.metric_id
),

judged as (
    select
        long_values.*,
        dictionary.metric_number,
        case
            when newest_events.newest_event_at is not null
                then greatest(0.0, 60 * {{ hours_between('newest_events.newest_event_at', 'long_values.as_of') }})
        end as freshness_minutes,
        100 * {{ safe_divide('volumes.received', 'volumes.expected') }} as completeness_percent,
        {{ metric_status('long_values.value') }} as status,
        -- How small the half-width of the 95 % interval is beside the value, where there is an interval: of measured
        -- effects their own, of shares Wald's.
        case
            when long_values.value is null then null
            when long_values.half_width is not null
                then 100 * (1 - coalesce({{ safe_divide('long_values.half_width', 'abs(long_values.value)') }}, 1))
            when
                long_values.metric_id in ({{ "'" ~ delivery_shares() | join("', '") ~ "'" }})
                and long_values.numerator > 0
                and long_values.numerator <= long_values.denominator
                then
                    100 * (
                        1 - 1.96
                        * sqrt((long_values.denominator / long_values.numerator - 1) / long_values.denominator)
                    )
        end as precision_percent
    from long_values
    inner join {{ ref('metric_dictionary') }} as dictionary on long_values.metric_id = dictionary.metric_id
    left join newest_events on long_values.metric_id = newest_events.metric_id
    left join volumes
        on
            long_values.period_start = volumes.period_start
            and long_values.period_end = volumes.period_end
            and long_values.metric_id not in ({{ "'" ~ operations_metrics() | join("', '") ~ "'" }})
)

select
    metric_id,
    metric_number,
    breakdown,
    breakdown_key,
    period_kind,
    window_label,
    period_start,
    period_end,
    numerator,
    denominator,
    value,
    null_reason,
    status,
    completeness_percent,
    coalesce(completeness_percent < 90, false) as is_incomplete,
    case
        when coalesce(precision_percent, completeness_percent) is not null
            then greatest(0.0, least(precision_percent, completeness_percent))
    end as confidence_percent,
    freshness_minutes,
    as_of
from judged
-- So that whoever reads one metric reads few row groups.
order by metric_id
