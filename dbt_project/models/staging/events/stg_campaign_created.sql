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
    campaign_type,
    target_segment_id,
    initial_budget,
    template_used,
    time_to_completion_minutes,
    load_id,
    ingested_at,
    late_arrival
from {{ source('raw', 'events') }}
where event_type = 'campaign_created'
