{{ config(materialized='view') }}

-- What a user does between a click and a purchase: uses the app or shop, and fills the cart.
select
    event_id,
    user_id,
    occurred_at,
    event_date,
    'visited' as action
from {{ ref('stg_user_engaged') }}
union all
select
    event_id,
    user_id,
    occurred_at,
    event_date,
    'filled_cart' as action
from {{ ref('stg_cart_updated') }}
where not coalesce(is_cleared, false)
