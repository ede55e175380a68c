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
    refresh_id,
    data_source,
    records_processed,
    refresh_duration_seconds,
    data_lag_seconds,
    errors_encountered,
    error_messages,
    load_id,
    ingested_at,
    late_arrival
from {{ source('raw', 'events') }}
where event_type = 'data_refresh_completed'
