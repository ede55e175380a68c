{{ config(incremental_strategy='mirror', unique_key='event_id', meta={'mirrors': 'int_touchpoints'}) }}

{%- set loads = loads() %}

select
    event_id,
    occurred_at,
    event_date,
    user_id,
    campaign_id,
    creative_id,
    segment,
    action,
    delivery_channel,
    message_channel,
    platform,
    campaign_type
from {{ ref('int_touchpoints') }}
where
    {{ is_new(loads) }}
    and {{ held_at(loads.until) }}
    and action in ('opened', 'clicked')
    and not is_held_out
