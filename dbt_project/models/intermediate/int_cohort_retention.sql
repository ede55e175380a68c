{{ config(incremental_strategy='whole') }}

{%- set spans = [30, 60, 90] -%}

with customers as (
    select
        user_id,
        signup_date,
        cast(date_trunc('month', signup_date) as date) as signup_month
    from {{ ref('stg_customers') }}
    where valid_to is null and signup_date <= {{ as_of_date() }}
),

orders as (
    select
        customers.user_id,
        {{ days_between('customers.signup_date', 'orders.event_date') }} as days
    from customers
    inner join {{ ref('int_orders') }} as orders on customers.user_id = orders.user_id
    where orders.closed_by_load_id is null and not orders.is_repeated and orders.event_date <= {{ as_of_date() }}
),

buyers as (
    select
        user_id,
        {% for span in spans %}
            max(case when days between {{ span - 29 }} and {{ span }} then 1 else 0 end) as retained_{{ span }},
        {% endfor %}
        min(days) as first_order_days
    from orders
    group by user_id
),

cohorts as (
    {% for span in spans %}
        select
            customers.signup_month,
            min(customers.signup_date) as first_signup_date,
            '{{ span - 29 }}-{{ span }}d' as span,
            {{ plus_days('min(customers.signup_date)', span - 29) }} as period_start,
            {{ plus_days('max(customers.signup_date)', span) }} as period_end,
            count(*) as customers,
            sum(coalesce(buyers.retained_{{ span }}, 0)) as retained_customers,
            sum(case when buyers.first_order_days between 0 and {{ span }} then 1 else 0 end) as first_order_customers
        from customers
        left join buyers on customers.user_id = buyers.user_id
        group by customers.signup_month
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

-- Before it no order was recorded, so nobody can be said to have stayed away.
first_order as (
    select min(event_date) as first_order_date from {{ ref('int_orders') }}
    where closed_by_load_id is null and not is_repeated
),

judged as (
    select
        cohorts.*,
        case
            when coalesce(cohorts.period_start < first_order.first_order_date, true) then 'before_first_order'
            when cohorts.period_end >= {{ as_of_date() }} then 'immature_cohort'
        end as retention_gap,
        case
            when coalesce(cohorts.first_signup_date < first_order.first_order_date, true) then 'before_first_order'
            when cohorts.period_end >= {{ as_of_date() }} then 'immature_cohort'
        end as first_order_gap
    from cohorts
    cross join first_order
)

select
    signup_month,
    span,
    period_start,
    period_end,
    cast(customers as bigint) as customers,
    cast(retained_customers as bigint) as retained_customers,
    cast(first_order_customers as bigint) as first_order_customers,
    case when retention_gap is null then 100 * {{ safe_divide('retained_customers', 'customers') }} end
        as cohort_retention,
    retention_gap as cohort_retention_null_reason,
    case when first_order_gap is null then 100 * {{ safe_divide('first_order_customers', 'customers') }} end
        as first_order_percent,
    first_order_gap as first_order_percent_null_reason,
    {{ as_of() }} as as_of
from judged
