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
    user_role,
    dashboard_section,
    time_spent_seconds,
    filters_applied,
    export_requested,
    load_id,
    ingested_at,
    late_arrival
from {{ source('raw', 'events') }}
where event_type = 'dashboard_accessed'
