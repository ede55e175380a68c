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
    model_name,
    inference_timestamp,
    input_record_id,
    prediction,
    confidence_score,
    inference_duration_ms,
    feature_importance_top_3,
    load_id,
    ingested_at,
    late_arrival
from {{ source('raw', 'events') }}
where event_type = 'model_inference_completed'
