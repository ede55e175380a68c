select
    probe_id,
    service,
    started_at,
    status_code,
    response_ms,
    valid_from,
    valid_to,
    load_id,
    closed_by_load_id
from {{ source('raw', 'service_probes') }}
