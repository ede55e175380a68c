select
    date,
    currency,
    rate,
    valid_from,
    valid_to,
    load_id,
    closed_by_load_id
from {{ source('raw', 'fx_rates') }}
