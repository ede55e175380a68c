{{ config(tags=['nightly']) }}

-- Every order is credited exactly once, and to its revenue, by every model, in every breakdown.
with orders as (
    select
        event_date,
        count(*) as orders,
        coalesce(sum(order_value), 0) as revenue
    from {{ ref('int_orders') }}
    where closed_by_load_id is null and not is_repeated
    group by event_date
),

credits as (
    select
        event_date,
        breakdown,
        {% for model in rule_based_models() %}
            sum({{ model }}_orders) as {{ model }}_orders,
            sum({{ model }}_revenue) as {{ model }}_revenue{{ ',' if not loop.last }}
        {% endfor %}
    from {{ ref('int_attribution_parts') }}
    group by event_date, breakdown
)

select
    coalesce(orders.event_date, credits.event_date) as event_date,
    credits.breakdown,
    orders.orders,
    orders.revenue
from orders
full outer join credits on orders.event_date = credits.event_date
where
    orders.event_date is null
    or credits.event_date is null
    {% for model in rule_based_models() %}
        or abs(orders.orders - credits.{{ model }}_orders) > 1e-9 * orders.orders
        or orders.revenue <> credits.{{ model }}_revenue
    {% endfor %}
