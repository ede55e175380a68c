{{ config(materialized='view') }}

select
    creative_id,
    campaign_id,
    headline,
    body,
    cta
from {{ ref('stg_creatives') }}
where valid_to is null
