{{ config(incremental_strategy='whole') }}

select
    breakdown_key as segment,
    customers,
    buyers,
    repeat_buyers,
    orders,
    new_customers,
    trailing_revenue,
    revenue,
    cost_of_goods,
    acquisition_spend,
    orders_missing_cost,
    {% for name in customer_metrics() %}
        {{ name }}_value as {{ name }},
        {{ name }}_null_reason,
    {% endfor %}
    as_of
from {{ ref('int_customer_economics') }}
where breakdown = 'segment' and event_date = cast(as_of as date)
