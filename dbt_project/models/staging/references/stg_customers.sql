select
    user_id,
    signup_date,
    first_campaign_id,
    region,
    birth_year,
    is_minor,
    timezone,
    valid_from,
    valid_to,
    load_id,
    closed_by_load_id
from {{ source('raw', 'customers') }}
