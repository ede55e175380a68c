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
    reallocation_id,
    marketer_id,
    from_campaign_id,
    to_campaign_id,
    amount,
    currency,
    reallocation_reason,
    ai_recommendation_id,
    load_id,
    ingested_at,
    late_arrival
from {{ source('raw', 'events') }}
where event_type = 'budget_reallocated'
