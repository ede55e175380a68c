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
    recommendation_id,
    recommendation_type,
    target_entity_id,
    impact_projection,
    confidence_level,
    supporting_data,
    expiration_time,
    load_id,
    ingested_at,
    late_arrival
from {{ source('raw', 'events') }}
where event_type = 'user_action_recommended'
