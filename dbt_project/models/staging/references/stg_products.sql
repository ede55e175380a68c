select
    product_id,
    name,
    category,
    unit_cost,
    currency,
    valid_from,
    valid_to,
    load_id,
    closed_by_load_id
from {{ source('raw', 'products') }}
