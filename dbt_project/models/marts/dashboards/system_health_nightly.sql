{{ config(incremental_strategy='whole') }}

{%- set since_yesterday = plus_seconds(as_of(), -86400) %}

-- Lines of event files of the last 24 hours.
with lines as (
    select
        100 * {{ safe_divide('sum(lines - filtered - rejected)', 'sum(lines - filtered)') }} as value
    from {{ source('ops', 'load_log') }}
    where
        target = 'events'
        and status = 'loaded'
        and ingested_at <= {{ as_of() }}
        and ingested_at > {{ since_yesterday }}
),

arms as (
    select max(100 * {{ safe_divide('holdout_users', 'treatment_users + holdout_users') }}) as value
    from {{ ref('incrementality') }}
    where breakdown = 'overall' and window_label = '90d'
),

trainings as (
    select {{ hours_between('max(evaluated_at)', as_of()) }} / 24 as days
    from {{ ref('model_evaluations') }}
    where model_id is not null
),

alerts as (
    select cast(count(*) as double) as value
    from {{ ref('int_recommendations') }}
    where
        card_kind = 'anomaly'
        and event_date >= {{ plus_days(as_of_date(), -1) }}
        and occurred_at > {{ since_yesterday }}
        and occurred_at <= {{ as_of() }}
)

select
    'schema_validation_percent' as item,
    value,
    case when value is null then 'no_data' end as null_reason,
    {{ as_of() }} as as_of
from lines
union all
select
    'holdout_percent' as item,
    value,
    case when value is null then 'no_holdout' end as null_reason,
    {{ as_of() }} as as_of
from arms
union all
select
    'alerts' as item,
    value,
    cast(null as varchar) as null_reason,
    {{ as_of() }} as as_of
from alerts
{%- set trained = {
    'days_since_training': 'days',
    'days_to_training': 'case when days > 7 then 0 else 7 - days end',
} %}
{% for item, days in trained.items() %}
    union all
    select
        '{{ item }}' as item,
        {{ days }} as value,
        case when days is null then 'not_computed_yet' end as null_reason,
        {{ as_of() }} as as_of
    from trainings
{% endfor %}
