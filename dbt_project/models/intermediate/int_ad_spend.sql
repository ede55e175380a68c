{{ config(materialized='view') }}

select
    spend.campaign_id,
    spend.date as event_date,
    spend.platform,
    coalesce(spend.impressions, 0) as impressions,
    coalesce(spend.clicks, 0) as clicks,
    spend.spend as stated_spend,
    spend.currency,
    {{ in_base_currency('spend.spend', 'spend.currency') }} as spend,
    spend.conversions as claimed_conversions,
    spend.revenue as stated_claimed_revenue,
    {{ in_base_currency('spend.revenue', 'spend.currency') }} as claimed_revenue,
    spend.reported_at
from {{ ref('stg_ad_spend_daily') }} as spend
left join {{ ref('int_fx_rates') }} as rates on {{ on_rate('spend.currency', 'spend.date') }}
where spend.valid_to is null
