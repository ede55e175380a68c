{{ config(materialized='view') }}

-- Everything that adds up to the delivery metrics, by group and day: what events tell and what platforms report.
with parts as (
    select
        breakdown,
        breakdown_key,
        {% for name in part_types() %}
            {{ name }},
        {% endfor %}
        {% for name in report_types() %}
            0 as {{ name }},
        {% endfor %}
        event_date
    from {{ ref('int_daily_parts') }}
    where sent + opens + clicks + conversions + orders + new_customers > 0
    union all
    select
        breakdown,
        breakdown_key,
        {% for name in part_types() %}
            0 as {{ name }},
        {% endfor %}
        {% for name in report_types() %}
            {{ name }},
        {% endfor %}
        event_date
    from {{ ref('int_spend_parts') }}
)

select
    breakdown,
    breakdown_key,
    {% for name, type in (part_types().items() | list) + (report_types().items() | list) %}
        cast(sum({{ name }}) as {{ type }}) as {{ name }},
    {% endfor %}
    event_date
from parts
group by breakdown, breakdown_key, event_date
