{{ config(incremental_strategy='days', meta={'days': 'changed_journey_days'}) }}

{%- set loads = loads() -%}
{%- set models = rule_based_models() | list %}

with credits as (
    select
        breakdown,
        breakdown_key,
        event_date,
        {% for model in models %}
            cast({{ model }}_orders as double) as {{ model }}_orders,
            case when missing_rate = 0 then {{ model }}_revenue end as {{ model }}_revenue,
        {% endfor %}
        missing_rate
    from {{ ref('int_attribution_parts') }}
    where {{ in_days('event_date', changed_journey_days(loads)) }}
),

spreads as (
    select
        *,
        {{ revenue_spread(models) }}
    from credits
)

select
    breakdown,
    breakdown_key,
    event_date,
    {% for model in models %}
        {{ model }}_orders,
        {{ model }}_revenue,
    {% endfor %}
    case when missing_rate > 0 then 'missing_rate' end as rule_based_null_reason,
    revenue_range,
    mean_revenue,
    100 * {{ safe_divide('revenue_range', 'mean_revenue') }} as spread_percent,
    case
        when missing_rate > 0 then 'missing_rate'
        when mean_revenue = 0 then 'zero_denominator'
    end as spread_null_reason
from spreads
