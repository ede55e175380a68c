{{ config(incremental_strategy='mirror', unique_key='event_id', meta={'mirrors': 'int_orders'}) }}

{%- set loads = loads() %}

select
    event_id,
    order_id,
    occurred_at,
    event_date,
    user_id,
    segment,
    category,
    stated_value,
    currency,
    order_value,
    is_missing_rate,
    is_first_order
from {{ ref('int_orders') }}
where {{ is_new(loads) }} and {{ held_at(loads.until) }} and not is_repeated
