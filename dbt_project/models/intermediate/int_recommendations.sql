{{ config(materialized='view') }}

-- What the platform's own events ask marketers to look at: recommended actions, and flagged anomalies for a week.
select
    event_id,
    occurred_at,
    event_date,
    'recommendation' as card_kind,
    recommendation_id as card_id,
    recommendation_type as subject,
    target_entity_id,
    impact_projection as expected_impact,
    confidence_level,
    cast(null as varchar) as severity,
    supporting_data,
    cast(null as double) as expected_value,
    cast(null as double) as actual_value,
    cast(null as double) as deviation_percent,
    expiration_time as expires_at
from {{ ref('stg_user_action_recommended') }}
union all
select
    event_id,
    occurred_at,
    event_date,
    'anomaly' as card_kind,
    anomaly_id as card_id,
    metric_id as subject,
    cast(null as varchar) as target_entity_id,
    cast(null as varchar) as expected_impact,
    cast(null as varchar) as confidence_level,
    anomaly_severity as severity,
    cast(null as varchar) as supporting_data,
    expected_value,
    actual_value,
    percentage_deviation as deviation_percent,
    {{ plus_seconds('occurred_at', 7 * 24 * 3600) }} as expires_at
from {{ ref('stg_anomaly_detected') }}
