select
    campaign_id,
    date,
    platform,
    impressions,
    clicks,
    spend,
    conversions,
    revenue,
    currency,
    reported_at,
    valid_from,
    valid_to,
    load_id,
    closed_by_load_id
from {{ source('raw', 'ad_spend_daily') }}
