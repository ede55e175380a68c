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
    campaign_id,
    marketer_id,
    pause_reason,
    time_to_pause_hours,
    pause_metrics_snapshot,
    load_id,
    ingested_at,
    late_arrival
from {{ source('raw', 'events') }}
where event_type = 'campaign_paused'
