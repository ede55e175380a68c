{{ config(materialized='view') }}

select
    campaigns.campaign_id,
    campaigns.name,
    nullif(campaigns.campaign_type, '') as campaign_type,
    nullif(campaigns.platform, '') as platform,
    lower(campaigns.status) as status,
    campaigns.budget,
    campaigns.daily_budget,
    campaigns.currency,
    campaigns.start_date,
    campaigns.end_date,
    campaigns.target_segment,
    campaigns.min_age,
    campaigns.created_by,
    campaigns.holdout_share,
    campaigns.valid_from,
    {{ in_base_currency('campaigns.budget', 'campaigns.currency') }} as base_budget
from {{ ref('stg_campaigns') }} as campaigns
left join {{ ref('int_fx_rates') }} as rates
    on {{ on_rate('campaigns.currency', 'coalesce(campaigns.start_date, ' ~ as_of_date() ~ ')') }}
where campaigns.valid_to is null
