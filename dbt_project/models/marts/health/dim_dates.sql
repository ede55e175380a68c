{{ config(incremental_strategy='whole') }}

-- Every day from the year before the first day with data to the end of the year of as_of.
with bounds as (
    select
        {{ year_start(plus_days('coalesce(min(event_date), ' ~ as_of_date() ~ ')', -365)) }} as first_day,
        {{ plus_days(year_start(plus_days(year_start(as_of_date()), 366)), -1) }} as last_day
    from {{ ref('int_daily_volumes') }}
),

days as (
    select cast(series.day as date) as date_day
    from bounds
    cross join {{ day_series('bounds.first_day', 'bounds.last_day') }}
)

select
    date_day,
    extract(year from date_day) as year,
    extract(quarter from date_day) as quarter,
    extract(month from date_day) as month,
    extract(day from date_day) as day_of_month,
    {{ iso_weekday('date_day') }} as iso_weekday,
    {{ iso_weekday('date_day') }} >= 6 as is_weekend,
    {{ plus_days('date_day', '1 - ' ~ iso_weekday('date_day')) }} as week_start,
    cast(date_trunc('month', date_day) as date) as month_start
from days
