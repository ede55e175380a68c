{{ config(materialized='view') }}

-- Whose first order ever was converted by which campaign, and what the campaign has spent for each of these customers.
with acquisitions as (
    select
        new_customer_id as user_id,
        {{ first_value_by('campaign_id', ['occurred_at', 'event_id']) }} as campaign_id,
        {{ first_value_by('platform', ['occurred_at', 'event_id']) }} as platform,
        {{ first_value_by('campaign_type', ['occurred_at', 'event_id']) }} as campaign_type
    from {{ ref('int_conversions') }}
    where
        closed_by_load_id is null
        and is_counted
        and new_customer_id is not null
        and new_customer_date <= {{ as_of_date() }}
    group by new_customer_id
),

spend as (
    select
        campaign_id,
        sum(spend) as spend,
        count(stated_spend) - count(spend) as missing_rate
    from {{ ref('int_ad_spend') }}
    where stated_spend is not null and event_date <= {{ as_of_date() }}
    group by campaign_id
)

select
    acquisitions.user_id,
    acquisitions.campaign_id,
    acquisitions.platform,
    acquisitions.campaign_type,
    -- Decimal, so that sums of it do not depend on their order.
    case
        when spend.missing_rate = 0
            then
                cast(
                    {{ safe_divide('spend.spend', 'count(*) over (partition by acquisitions.campaign_id)') }}
                    as decimal(28, 10)
                )
    end as acquisition_cost,
    case
        when spend.campaign_id is null then 'no_spend_reported'
        when spend.missing_rate > 0 then 'missing_rate'
    end as acquisition_cost_null_reason
from acquisitions
left join spend on acquisitions.campaign_id = spend.campaign_id
