{{ config(incremental_strategy='whole') }}

{%- set groups = {
    'overall': none,
    'campaign': 'campaign_id',
    'platform': 'platform',
    'campaign_type': 'campaign_type',
} %}

with customers as (
    select
        *,
        cast(date_trunc('month', first_order_date) as date) as acquisition_month
    from {{ ref('int_customer_value') }}
    where is_paid
),

-- What each of them has brought in, by month since the first order.
customer_months as (
    select
        customers.user_id,
        {{ month_number(days_between('customers.first_order_date', 'orders.event_date')) }} as month_number,
        coalesce(sum(orders.order_value), 0) as revenue,
        sum(case when orders.is_missing_rate then 1 else 0 end) as missing_rate
    from customers
    inner join {{ ref('int_orders') }} as orders on customers.user_id = orders.user_id
    where orders.closed_by_load_id is null and not orders.is_repeated and orders.event_date <= {{ as_of_date() }}
    group by customers.user_id, month_number
),

members as (
    {% for breakdown, column in groups.items() %}
        select
            '{{ breakdown }}' as breakdown,
            {{ breakdown_key(column) }} as breakdown_key,
            acquisition_month,
            user_id,
            first_order_date,
            acquisition_cost
        from customers
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

cohorts as (
    select
        breakdown,
        breakdown_key,
        acquisition_month,
        count(*) as customers,
        min(first_order_date) as oldest,
        max(first_order_date) as youngest,
        case when count(acquisition_cost) = count(*) then {{ safe_divide('sum(acquisition_cost)', 'count(*)') }} end
            as cac
    from members
    group by breakdown, breakdown_key, acquisition_month
),

month_numbers as (
    select distinct {{ month_number(days_between('bounds.first_day', 'cast(series.day as date)')) }} as month_number
    from (
        select min(first_order_date) as first_day from customers
    ) as bounds
    cross join {{ day_series('bounds.first_day', as_of_date()) }}
),

-- Every month that has begun for the oldest of a cohort; it is over for all when it is for the youngest.
months as (
    select
        cohorts.*,
        month_numbers.month_number,
        12 * {{ days_between('cohorts.youngest', as_of_date()) }} >= 365 * month_numbers.month_number as is_over
    from cohorts
    inner join month_numbers
        on month_numbers.month_number <= {{ month_number(days_between('cohorts.oldest', as_of_date())) }}
),

revenues as (
    select
        members.breakdown,
        members.breakdown_key,
        members.acquisition_month,
        customer_months.month_number,
        sum(customer_months.revenue) as revenue,
        sum(customer_months.missing_rate) as missing_rate
    from members
    inner join customer_months on members.user_id = customer_months.user_id
    group by
        members.breakdown,
        members.breakdown_key,
        members.acquisition_month,
        customer_months.month_number
),

curves as (
    select
        months.*,
        coalesce(revenues.revenue, 0) as revenue,
        sum(coalesce(revenues.revenue, 0)) over until_month as cumulative_revenue,
        sum(coalesce(revenues.missing_rate, 0)) over until_month as missing_rate
    from months
    left join revenues
        on
            months.breakdown = revenues.breakdown
            and months.breakdown_key = revenues.breakdown_key
            and months.acquisition_month = revenues.acquisition_month
            and months.month_number = revenues.month_number
    window until_month as (
        partition by months.breakdown, months.breakdown_key, months.acquisition_month
        order by months.month_number rows between unbounded preceding and current row
    )
),

judged as (
    select
        *,
        case
            when not is_over then 'immature_cohort'
            when missing_rate > 0 then 'missing_rate'
        end as revenue_gap
    from curves
)

select
    breakdown,
    breakdown_key,
    acquisition_month,
    month_number,
    customers,
    cac,
    case when revenue_gap is null then cast(revenue as decimal(18, 4)) end as revenue,
    case when revenue_gap is null then cast(cumulative_revenue as decimal(18, 4)) end as cumulative_revenue,
    case when revenue_gap is null then {{ safe_divide('cumulative_revenue', 'customers') }} end
        as cumulative_revenue_per_customer,
    case when revenue_gap is null then 100 * {{ safe_divide('cumulative_revenue', 'customers * cac') }} end
        as payback_percent,
    case
        when revenue_gap is not null then revenue_gap
        when cac is null then 'missing_rate'
        when cac = 0 then 'zero_denominator'
    end as payback_percent_null_reason,
    {{ as_of() }} as as_of
from judged
