{{ config(tags=['nightly']) }}

-- An order has one segment.
select
    event_date,
    sum(case when breakdown = 'overall' then orders else 0 end) as all_orders,
    sum(case when breakdown = 'segment' then orders else 0 end) as orders_of_segments
from {{ ref('int_daily_parts') }}
group by event_date
having
    sum(case when breakdown = 'overall' then orders else 0 end)
    <> sum(case when breakdown = 'segment' then orders else 0 end)
    or sum(case when breakdown = 'overall' then order_revenue else 0 end)
    <> sum(case when breakdown = 'segment' then order_revenue else 0 end)
