select
    order_id,
    product_id,
    quantity,
    unit_price,
    unit_cost,
    currency,
    store_id,
    valid_from,
    valid_to,
    load_id,
    closed_by_load_id
from {{ source('raw', 'order_items') }}
