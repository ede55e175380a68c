{{ config(materialized='view') }}

with latest_values as (
    select
        metric_id,
        breakdown_key,
        value,
        null_reason,
        as_of,
        row_number() over (
            partition by metric_id
            order by case when breakdown = 'overall' then 0 else 1 end, period_end desc, breakdown_key asc
        ) as place
    from {{ ref('metric_values') }}
    where metric_id in ('data_freshness_minutes', 'model_auc', 'uptime_percent', 'cost_per_query')
),

-- The latest day of all events, and of the lines that came in.
latest_day as (
    select
        minutes_since_newest,
        100 - completeness_percent as missing_percent,
        as_of
    from {{ ref('data_freshness') }}
    where event_type = 'all' and minutes_since_newest is not null
),

latest_lines as (
    select
        valid_percent,
        row_number() over (order by ingested_date desc) as place
    from {{ ref('ingestion_quality') }}
),

arms as (
    select 100 * {{ safe_divide('holdout_users', 'treatment_users + holdout_users') }} as holdout_percent
    from {{ ref('incrementality') }}
    where breakdown = 'overall' and window_label = '90d'
),

alerts as (
    select
        sum(
            case when card_kind = 'anomaly' and recommended_at > {{ plus_seconds('as_of', -86400) }} then 1 else 0 end
        ) as alerts
    from {{ ref('action_center') }}
),

{% set missing = 'cast(null as double)' -%}
{%- set items = [
    ['freshness', 'last_event_minutes', '(select minutes_since_newest from latest_day)', 'no_data', none, 5],
    ['freshness', 'data_freshness_minutes', none, none, none, none],
    ['freshness', 'missing_data_percent', '(select missing_percent from latest_day)', 'no_expected_volume', none, 1],
    ['freshness', 'schema_validation_percent', '(select valid_percent from latest_lines where place = 1)', 'no_data', 95, none],
    ['models', 'model_auc', none, none, none, none],
    ['models', 'segment_precision_percent', missing, 'not_measured', 80, none],
    ['models', 'holdout_percent', '(select holdout_percent from arms)', 'no_holdout', none, none],
    ['models', 'days_since_training', missing, 'not_measured', none, none],
    ['models', 'days_to_training', missing, 'not_measured', none, none],
    ['uptime', 'uptime_percent', none, none, none, none],
    ['uptime', 'query_latency_p95_ms', missing, 'not_measured', none, 500],
    ['uptime', 'failed_jobs', missing, 'not_measured', none, 0],
    ['uptime', 'alerts', '(select cast(alerts as double) from alerts)', 'no_data', none, 0],
    ['infrastructure', 'database_connections', missing, 'not_measured', none, none],
    ['infrastructure', 'cache_hit_percent', missing, 'not_measured', none, none],
    ['infrastructure', 'queue_depth', missing, 'not_measured', none, 5000],
    ['infrastructure', 'cost_per_query', none, none, none, none],
] %}

items as (
    {% for section, item, value, gap, target_min, target_max in items %}
        select
            {{ loop.index }} as item_number,
            '{{ section }}' as section,
            '{{ item }}' as item,
            {{ value or missing }} as value,
            {{ "'" ~ gap ~ "'" if gap else 'cast(null as varchar)' }} as gap,
            {{ target_min if target_min is not none else missing }} as target_min,
            {{ target_max if target_max is not none else missing }} as target_max,
            {{ 'true' if value is none else 'false' }} as is_metric
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

stated as (
    select
        items.item_number,
        items.section,
        items.item,
        dictionary.unit,
        case when items.is_metric then latest_values.value else items.value end as value,
        case
            when not items.is_metric then items.gap
            when latest_values.metric_id is null then 'not_computed_yet'
            else latest_values.null_reason
        end as gap,
        coalesce(dictionary.target_min, items.target_min) as target_min,
        coalesce(dictionary.target_max, items.target_max) as target_max,
        coalesce(latest_values.as_of, (select latest_day.as_of from latest_day)) as as_of
    from items
    left join latest_values on items.is_metric and items.item = latest_values.metric_id and latest_values.place = 1
    left join {{ ref('metric_dictionary') }} as dictionary on items.item = dictionary.metric_id
)

select
    cast(item_number as bigint) as item_number,
    section,
    item,
    unit,
    value,
    case when value is null then gap end as null_reason,
    cast(target_min as double) as target_min,
    cast(target_max as double) as target_max,
    case
        when value is null or (target_min is null and target_max is null) then null
        else coalesce(value >= target_min, true) and coalesce(value <= target_max, true)
    end as is_on_target,
    as_of
from stated
