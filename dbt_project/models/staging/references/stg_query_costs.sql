select
    query_id,
    started_at,
    engine,
    name,
    actor,
    seconds,
    bytes,
    cost,
    valid_from,
    valid_to,
    load_id,
    closed_by_load_id
from {{ source('raw', 'query_costs') }}
