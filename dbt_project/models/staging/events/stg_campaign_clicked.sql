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
    creative_id,
    delivery_channel,
    click_type,
    destination_url,
    time_to_click_seconds,
    load_id,
    ingested_at,
    late_arrival
from {{ source('raw', 'events') }}
where event_type = 'campaign_clicked'
