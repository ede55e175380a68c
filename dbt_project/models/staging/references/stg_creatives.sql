select
    creative_id,
    campaign_id,
    headline,
    body,
    cta,
    valid_from,
    valid_to,
    load_id,
    closed_by_load_id
from {{ source('raw', 'creatives') }}
