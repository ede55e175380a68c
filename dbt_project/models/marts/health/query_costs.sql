{{ config(incremental_strategy='periods', meta={'by_as_of': true, 'days': 'changed_query_days'}) }}

{%- set days = changed_query_days(loads()) -%}
{%- set breakdowns = {'overall': none, 'engine': 'engine', 'query': 'name'} %}

with statements as (
    select
        engine,
        name,
        cast({{ counted_at() }} as date) as event_date,
        {{ counted_at() }} as counted_at,
        seconds,
        cost
    from {{ ref('stg_query_costs') }}
    where valid_to is null and {{ can_count_in(days) }}
),

queries as (
    select
        *,
        event_date >= {{ window_start(30) }} as is_in_window,
        {{ in_days('event_date', days) }} as is_in_days
    from statements
    where counted_at <= {{ as_of() }} and (event_date >= {{ window_start(30) }} or {{ in_days('event_date', days) }})
),

-- The window of the whole is there without a query, too.
counted as (
    {% for breakdown, column in breakdowns.items() %}
        select
            '{{ breakdown }}' as breakdown,
            {{ breakdown_key(column) }} as breakdown_key,
            'window' as period_kind,
            '30d' as window_label,
            {{ window_start(30) }} as period_start,
            {{ as_of_date() }} as period_end,
            {{ query_sums('is_in_window') }}
        from queries
        {{ 'group by ' ~ column if column }}
        union all
        select
            '{{ breakdown }}' as breakdown,
            {{ breakdown_key(column) }} as breakdown_key,
            'daily' as period_kind,
            'day' as window_label,
            event_date as period_start,
            event_date as period_end,
            {{ query_sums('is_in_days') }}
        from queries
        where is_in_days
        group by {{ column ~ ', ' if column }}event_date
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

judged as (
    select
        *,
        stated_cost + priced_seconds * {{ compute_price_per_hour() }} / 3600 as known_cost,
        case
            when queries = 0 then 'no_queries'
            when queries_missing_cost > 0 then 'missing_cost'
        end as cost_per_query_null_reason
    from counted
),

divided as (
    select
        *,
        case
            when cost_per_query_null_reason is null then {{ safe_divide('known_cost', 'queries') }}
        end as cost_per_query,
        case when queries_missing_cost = 0 then known_cost end as cost
    from judged
)

select
    divided.breakdown,
    divided.breakdown_key,
    divided.period_kind,
    divided.window_label,
    divided.period_start,
    divided.period_end,
    cast(divided.queries as bigint) as queries,
    cast(divided.queries_missing_cost as bigint) as queries_missing_cost,
    cast(divided.query_seconds as double) as query_seconds,
    cast(divided.cost as decimal(18, 10)) as cost,
    cast(divided.cost / ({{ days_between('divided.period_start', 'divided.period_end') }} + 1) as decimal(18, 10))
        as daily_cost,
    divided.cost_per_query,
    divided.cost_per_query_null_reason,
    {{ metric_status('divided.cost_per_query') }} as status,
    {{ as_of() }} as as_of
from divided
inner join {{ ref('metric_dictionary') }} as dictionary on dictionary.metric_id = 'cost_per_query'
