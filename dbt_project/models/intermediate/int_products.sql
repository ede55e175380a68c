{{ config(materialized='view') }}

select
    product_id,
    name,
    category,
    unit_cost,
    currency
from {{ ref('stg_products') }}
where valid_to is null
