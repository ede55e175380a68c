{{ config(materialized='view') }}

-- What everyone who has ordered is worth up to the day of as_of, and what the acquisition cost.
with orders as (
    select
        user_id,
        event_date,
        segment,
        order_value,
        occurred_at,
        event_id,
        case when is_missing_rate then 1 else 0 end as missing_rate,
        event_date >= {{ window_start(365) }} as is_trailing,
        event_date >= {{ window_start(90) }} as is_recent
    from {{ ref('int_orders') }}
    where closed_by_load_id is null and not is_repeated and event_date <= {{ as_of_date() }}
),

customers as (
    select
        user_id,
        min(event_date) as first_order_date,
        max(event_date) as last_order_date,
        {{ first_value_by('segment', ['occurred_at', 'event_id']) }} as first_segment,
        {{ last_value_by('segment', ['occurred_at', 'event_id']) }} as segment,
        count(*) as orders,
        sum(case when is_recent then 1 else 0 end) as recent_orders,
        coalesce(sum(order_value), 0) as lifetime_revenue,
        sum(missing_rate) as lifetime_missing_rate,
        coalesce(sum(case when is_trailing then order_value end), 0) as trailing_revenue,
        sum(case when is_trailing then missing_rate else 0 end) as trailing_missing_rate
    from orders
    group by user_id
)

select
    customers.user_id,
    customers.first_order_date,
    customers.last_order_date,
    customers.first_segment,
    customers.segment,
    customers.orders,
    customers.recent_orders,
    customers.lifetime_revenue,
    customers.lifetime_missing_rate,
    customers.trailing_revenue,
    customers.trailing_missing_rate,
    least({{ days_between('customers.first_order_date', as_of_date()) }} + 1, 365) as days_observed,
    acquisitions.campaign_id,
    acquisitions.platform,
    acquisitions.campaign_type,
    costs.acquisition_cost,
    case
        when acquisitions.user_id is null then 'no_acquiring_campaign' else costs.acquisition_cost_null_reason
    end as acquisition_cost_null_reason,
    coalesce(costs.is_paid, false) as is_paid
from customers
left join {{ ref('int_acquisitions') }} as acquisitions on customers.user_id = acquisitions.user_id
left join {{ ref('int_acquisition_costs') }} as costs
    on acquisitions.campaign_id = costs.campaign_id and costs.event_date = {{ as_of_date() }}
