{{ config(materialized='view') }}

{%- set metrics = ['ctr', 'conversion_rate', 'aov'] %}

with delivery as (
    select
        breakdown_key as segment,
        window_label,
        period_start,
        period_end,
        {% for metric in metrics %}
            max(case when metric_id = '{{ metric }}' then value end) as {{ metric }},
            max(case when metric_id = '{{ metric }}' then null_reason end) as {{ metric }}_null_reason,
        {% endfor %}
        max(case when metric_id = 'aov' then numerator end) as order_revenue,
        max(as_of) as as_of
    from {{ ref('metric_values') }}
    where
        breakdown = 'segment'
        and period_kind = 'window'
        and metric_id in ({{ "'" ~ metrics | join("', '") ~ "'" }})
    group by breakdown_key, window_label, period_start, period_end
)

select
    delivery.segment,
    delivery.window_label,
    delivery.period_start,
    delivery.period_end,
    coalesce(economics.customers, 0) as customers,
    {{ safe_divide('delivery.order_revenue', 'economics.customers') }} as avg_spend,
    case
        when delivery.order_revenue is null then 'missing_rate'
        when coalesce(economics.customers, 0) = 0 then 'zero_denominator'
    end as avg_spend_null_reason,
    economics.ltv,
    case when economics.segment is null then 'zero_denominator' else economics.ltv_null_reason end as ltv_null_reason,
    delivery.ctr,
    delivery.ctr_null_reason,
    delivery.conversion_rate,
    delivery.conversion_rate_null_reason,
    economics.as_of as customers_as_of,
    delivery.as_of
from delivery
left join {{ ref('segment_economics') }} as economics on delivery.segment = economics.segment
