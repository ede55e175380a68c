{{ config(incremental_strategy='mirror', unique_key='event_id', meta={'mirrors': 'int_conversions'}) }}

{%- set loads = loads() %}

select
    event_id,
    kind,
    order_id,
    occurred_at,
    event_date,
    user_id,
    campaign_id,
    creative_id,
    segment,
    delivery_channel,
    platform,
    campaign_type,
    touch_event_id,
    stated_value,
    currency,
    conversion_value,
    is_missing_rate,
    coalesce(new_customer_id is not null, false) as is_new_customer,
    hours_to_conversion
from {{ ref('int_conversions') }}
where {{ is_new(loads) }} and {{ held_at(loads.until) }} and is_counted
