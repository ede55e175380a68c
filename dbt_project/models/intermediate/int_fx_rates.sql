{{ config(materialized='view') }}

-- A rate holds from its day until the day of the next one.
select
    currency,
    cast(rate as decimal(20, 12)) as rate,
    date as valid_from_date,
    lead(date, 1, date '9999-12-31') over (partition by currency order by date) as valid_until_date
from {{ ref('stg_fx_rates') }}
where valid_to is null
