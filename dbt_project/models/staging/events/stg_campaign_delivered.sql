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
    campaign_type,
    creative_id,
    segment_id,
    delivery_channel,
    scheduled_time,
    is_holdout,
    allocation_method,
    load_id,
    ingested_at,
    late_arrival
from {{ source('raw', 'events') }}
where event_type = 'campaign_delivered'
