{{ config(incremental_strategy='whole') }}

select
    product_id,
    name,
    category,
    unit_cost,
    currency
from {{ ref('int_products') }}
