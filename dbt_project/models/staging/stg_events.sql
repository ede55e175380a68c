select
    event_id,
    timestamp as occurred_at,
    event_date,
    user_id,
    session_id,
    source,
    app_version,
    platform as device_platform,
    user_segment,
    region,
    event_type,
    ingestion_lag_seconds,
    load_id,
    ingested_at,
    late_arrival
from {{ source('raw', 'events') }}
