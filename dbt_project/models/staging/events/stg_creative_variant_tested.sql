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
    test_id,
    campaign_id,
    variant_a_creative_id,
    variant_b_creative_id,
    split_percentage,
    test_duration_days,
    primary_metric,
    statistical_significance_threshold,
    load_id,
    ingested_at,
    late_arrival
from {{ source('raw', 'events') }}
where event_type = 'creative_variant_tested'
