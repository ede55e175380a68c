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
    metric_id,
    calculation_timestamp,
    calculation_duration_ms,
    result_value,
    dimension_breakdown,
    data_completeness_percentage,
    load_id,
    ingested_at,
    late_arrival
from {{ source('raw', 'events') }}
where event_type = 'metric_calculation_completed'
