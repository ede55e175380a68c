{{ config(materialized='view') }}

{#- Items by section: name to lower and upper target; the targets of a metric are in the dictionary. -#}
{%- set sections = {
    'freshness': {
        'last_event_minutes': [none, 5],
        'data_freshness_minutes': [none, none],
        'missing_data_percent': [none, 1],
        'schema_validation_percent': [95, none],
    },
    'models': {
        'model_auc': [none, none],
        'segment_precision_percent': [80, none],
        'holdout_percent': [none, none],
        'days_since_training': [none, none],
        'days_to_training': [none, none],
    },
    'uptime': {
        'uptime_percent': [none, none],
        'query_latency_p95_ms': [none, 500],
        'failed_jobs': [none, 0],
        'alerts': [none, 0],
    },
    'infrastructure': {
        'database_connections': [none, none],
        'cache_hit_percent': [none, none],
        'queue_depth': [none, 5000],
        'cost_per_query': [none, none],
    },
} -%}
{#- Metrics among them, and the period of each that is shown. -#}
{%- set metrics = {
    'data_freshness_minutes': 'day', 'model_auc': 'newest', 'uptime_percent': '24h', 'cost_per_query': '30d',
} -%}
{%- set numbers = namespace(item=0) %}

with items as (
    {% for section, items in sections.items() %}
        {%- set is_last = loop.last %}
        {% for item, targets in items.items() %}
            {%- set numbers.item = numbers.item + 1 %}
            select
                {{ numbers.item }} as item_number,
                '{{ section }}' as section,
                '{{ item }}' as item,
                cast({{ targets[0] if targets[0] is not none else 'null' }} as double) as target_min,
                cast({{ targets[1] if targets[1] is not none else 'null' }} as double) as target_max,
                {{ 'true' if item in metrics else 'false' }} as is_metric
            {{ 'union all' if not (is_last and loop.last) }}
        {% endfor %}
    {% endfor %}
),

-- The latest day of all events.
latest_day as (
    select * from {{ ref('data_freshness') }}
    where event_type = 'all' and minutes_since_newest is not null
),

latest_values as (
    select
        metric_id,
        value,
        null_reason,
        as_of,
        row_number() over (
            partition by metric_id
            order by case when breakdown = 'overall' then 0 else 1 end, period_end desc, breakdown_key asc
        ) as place
    from {{ ref('metric_values') }}
    where
        {%- for metric, period in metrics.items() %}
            {{ 'or ' if not loop.first }}(metric_id = '{{ metric }}' and window_label = '{{ period }}')
        {%- endfor %}
),

measured as (
    select
        metric_id as item,
        value,
        null_reason,
        as_of
    from latest_values
    where place = 1
    union all
    select
        'last_event_minutes' as item,
        minutes_since_newest as value,
        cast(null as varchar) as null_reason,
        as_of
    from latest_day
    union all
    select
        'missing_data_percent' as item,
        100 - completeness_percent as value,
        case when completeness_percent is null then 'no_expected_volume' end as null_reason,
        as_of
    from latest_day
    union all
    select
        'query_latency_p95_ms' as item,
        p95_response_ms as value,
        case when p95_response_ms is null then coalesce(uptime_percent_null_reason, 'no_probes') end as null_reason,
        as_of
    from {{ ref('service_uptime') }}
    where breakdown = 'overall' and period_kind = 'window'
    union all
    select
        item,
        value,
        null_reason,
        as_of
    from {{ ref('system_health_nightly') }}
),

stated as (
    select
        items.item_number,
        items.section,
        items.item,
        dictionary.unit,
        measured.value,
        case
            when measured.item is not null then measured.null_reason
            when items.is_metric then 'not_computed_yet'
            else 'not_measured'
        end as null_reason,
        coalesce(dictionary.target_min, items.target_min) as target_min,
        coalesce(dictionary.target_max, items.target_max) as target_max,
        measured.as_of
    from items
    left join measured on items.item = measured.item
    left join {{ ref('metric_dictionary') }} as dictionary on items.item = dictionary.metric_id
)

select
    cast(item_number as bigint) as item_number,
    section,
    item,
    unit,
    value,
    null_reason,
    target_min,
    target_max,
    case
        when value is not null and coalesce(target_min, target_max) is not null
            then coalesce(value >= target_min, true) and coalesce(value <= target_max, true)
    end as is_on_target,
    as_of
from stated
