{{ config(incremental_strategy='whole') }}

select
    campaign_id,
    event_date,
    platform,
    impressions,
    clicks,
    stated_spend,
    currency,
    spend,
    stated_spend is not null and spend is null as is_missing_rate,
    claimed_conversions,
    stated_claimed_revenue,
    claimed_revenue,
    reported_at
from {{ ref('int_ad_spend') }}
