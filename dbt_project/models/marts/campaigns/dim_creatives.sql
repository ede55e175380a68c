{{ config(incremental_strategy='whole') }}

select
    creative_id,
    campaign_id,
    headline,
    body,
    cta
from {{ ref('int_creatives') }}
