{{ config(materialized='view') }}

-- Whose first order ever was converted by which campaign.
select
    new_customer_id as user_id,
    new_customer_date as acquired_date,
    {{ first_value_by('campaign_id', ['occurred_at', 'event_id']) }} as campaign_id,
    {{ first_value_by('platform', ['occurred_at', 'event_id']) }} as platform,
    {{ first_value_by('campaign_type', ['occurred_at', 'event_id']) }} as campaign_type
from {{ ref('int_conversions') }}
where
    closed_by_load_id is null
    and is_counted
    and new_customer_id is not null
    and new_customer_date <= {{ as_of_date() }}
group by new_customer_id, new_customer_date
