{{ config(materialized='view') }}

-- What every order up to the day of as_of has brought in, and what its goods cost. A cost that the order's item does
-- not state is that of its product.
with orders as (
    select
        order_id,
        event_date,
        segment,
        order_value
    from {{ ref('int_orders') }}
    where closed_by_load_id is null and not is_repeated and event_date <= {{ as_of_date() }}
),

item_costs as (
    select
        orders.order_id,
        orders.event_date,
        cast(items.quantity * coalesce(items.unit_cost, products.unit_cost) as decimal(18, 4)) as cost,
        case when items.unit_cost is not null then items.currency else products.currency end as currency
    from orders
    inner join {{ ref('stg_order_items') }} as items on orders.order_id = items.order_id
    left join {{ ref('int_products') }} as products on items.product_id = products.product_id
    where items.valid_to is null
),

order_costs as (
    select
        item_costs.order_id,
        sum({{ in_base_currency('item_costs.cost', 'item_costs.currency') }}) as cost_of_goods,
        count(*) - count(item_costs.cost) as items_missing_cost,
        count(item_costs.cost) - count({{ in_base_currency('item_costs.cost', 'item_costs.currency') }})
            as items_missing_rate
    from item_costs
    left join {{ ref('int_fx_rates') }} as rates on {{ on_rate('item_costs.currency', 'item_costs.event_date') }}
    group by item_costs.order_id
)

select
    orders.order_id,
    orders.event_date,
    orders.segment,
    orders.order_value,
    order_costs.cost_of_goods,
    coalesce(order_costs.items_missing_cost > 0, true) as is_missing_cost,
    orders.order_value is null or coalesce(order_costs.items_missing_rate > 0, false) as is_missing_rate
from orders
left join order_costs on orders.order_id = order_costs.order_id
