{{ config(incremental_strategy='whole') }}

select
    campaign_id,
    name,
    campaign_type,
    platform,
    status,
    budget,
    daily_budget,
    currency,
    start_date,
    end_date,
    target_segment,
    min_age,
    created_by,
    holdout_share,
    valid_from as changed_at
from {{ ref('int_campaigns') }}
