{{ config(incremental_strategy='whole') }}

select
    user_id,
    is_known,
    signup_date,
    first_campaign_id,
    region,
    birth_year,
    is_minor,
    timezone,
    first_order_at,
    last_order_at,
    cast(orders as bigint) as orders,
    cast(order_revenue as decimal(18, 4)) as order_revenue
from {{ ref('int_customers') }}
