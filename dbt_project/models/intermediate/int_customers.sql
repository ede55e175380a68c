{{ config(materialized='view') }}

-- Everyone who signed up or has ordered; of the latter some are known by their orders only.
with orders as (
    select
        user_id,
        min(occurred_at) as first_order_at,
        max(occurred_at) as last_order_at,
        count(*) as orders,
        case when sum(case when is_missing_rate then 1 else 0 end) = 0 then sum(order_value) end as order_revenue
    from {{ ref('int_orders') }}
    where closed_by_load_id is null and not is_repeated
    group by user_id
),

customers as (
    select * from {{ ref('stg_customers') }}
    where valid_to is null
)

select
    coalesce(customers.user_id, orders.user_id) as user_id,
    customers.user_id is not null as is_known,
    customers.signup_date,
    customers.first_campaign_id,
    customers.region,
    customers.birth_year,
    customers.is_minor,
    customers.timezone,
    orders.first_order_at,
    orders.last_order_at,
    coalesce(orders.orders, 0) as orders,
    case when orders.user_id is null then 0 else orders.order_revenue end as order_revenue
from customers
full outer join orders on customers.user_id = orders.user_id
