{{ config(incremental_strategy='whole') }}

{%- set year, quarter = customer_metrics().ltv.days, customer_metrics().gross_margin_percent.days -%}
{%- set keys = ['segment', 'campaign', 'platform', 'campaign_type'] -%}
{%- set customer_parts = {
    'customers': 'customers',
    'trailing_revenue': 'trailing_revenue',
    'trailing_missing_rate': 'trailing_missing_rate',
    'buyers': 'buyers',
    'repeat_buyers': 'repeat_buyers',
    'acquired_customers': "case when campaign <> 'unknown' then customers else 0 end",
    'new_customers': 'new_customers',
} -%}
{%- set paid_parts = {
    'paid_customers': 'customers',
    'paid_revenue': 'trailing_revenue',
    'paid_orders_missing_rate': 'trailing_missing_rate',
    'paid_first_year_customers': 'first_year_customers',
    'paid_first_year_starts': 'first_year_starts',
    'new_paid_customers': 'new_customers',
} -%}
{%- set order_parts = {
    'orders': '1',
    'revenue': 'coalesce(order_value, 0)',
    'cost_of_goods': 'coalesce(cost_of_goods, 0)',
    'orders_missing_cost': 'case when is_missing_cost then 1 else 0 end',
    'orders_missing_rate': 'case when is_missing_rate then 1 else 0 end',
} -%}
{%- set cost_parts = ['acquisition_cost', 'costs_missing_rate', 'acquisition_spend', 'new_customers_missing_rate'] -%}
{%- set money = ['trailing_revenue', 'paid_revenue', 'revenue', 'cost_of_goods'] -%}
{%- set types = {} -%}
{%- for name in (customer_parts.keys() | list) + (paid_parts.keys() | list) + (order_parts.keys() | list) -%}
    {%- do types.update({name: 'decimal(28, 4)' if name in money else 'bigint'}) -%}
{%- endfor -%}
{%- set counts = [
    'customers', 'trailing_missing_rate', 'buyers', 'repeat_buyers', 'acquired_customers', 'paid_customers', 'paid_days',
    'paid_missing_rate', 'orders', 'orders_missing_cost', 'orders_missing_rate', 'new_customers', 'new_paid_customers',
    'new_customers_missing_rate',
] %}

with customer_changes as (
    select * from {{ ref('int_customer_changes') }}
),

costs as (
    select
        cast(campaign_id as varchar) as campaign,
        event_date,
        is_paid,
        acquisition_cost
    from {{ ref('int_acquisition_costs') }}
),

paying as (
    select
        campaign,
        min(event_date) as first_date
    from costs
    where is_paid
    group by campaign
),

order_days as (
    select
        segment,
        {% for name, part in order_parts.items() %}
            sum({{ part }}) as {{ name }},
        {% endfor %}
        event_date
    from {{ ref('int_order_margins') }}
    group by segment, event_date
),

-- What enters a sum on a day leaves it after the last one of the window.
ends as (
    select
        1 as sign,
        0 as days_later
    union all
    select
        -1 as sign,
        {{ quarter }} as days_later
),

paid_changes as (
    select
        customer_changes.*,
        greatest(customer_changes.event_date, paying.first_date) as paid_date
    from customer_changes
    inner join paying on customer_changes.campaign = paying.campaign
),

-- Customers count in the groups of their latest order's segment and of the campaign that acquired them, among the paid
-- ones since the campaign has reported a spend; money of the margin in the segments of the orders that bring it.
group_changes as (
    {% for source in [
        {'relation': 'customer_changes', 'parts': customer_parts, 'day': 'event_date'},
        {'relation': 'paid_changes', 'parts': paid_parts, 'day': 'paid_date'},
    ] %}
        {%- for breakdown in ['overall'] + keys %}
            {%- set column = breakdown if breakdown != 'overall' %}
            select
                '{{ breakdown }}' as breakdown,
                {{ breakdown_key(column or none) }} as breakdown_key,
                {% for name in types %}
                    {{ 'sum(' ~ source.parts[name] ~ ')' if name in source.parts else '0' }} as {{ name }},
                {% endfor %}
                {{ source.day }} as event_date
            from {{ source.relation }}
            group by {{ source.day }}{{ ', ' ~ column if column }}
            union all
        {% endfor %}
    {% endfor %}
    {% for breakdown, column in {'overall': none, 'segment': 'order_days.segment'}.items() %}
        select
            '{{ breakdown }}' as breakdown,
            {{ breakdown_key(column) }} as breakdown_key,
            {% for name in types %}
                {{ 'ends.sign * order_days.' ~ name if name in order_parts else '0' }} as {{ name }},
            {% endfor %}
            {{ plus_days('order_days.event_date', 'ends.days_later') }} as event_date
        from order_days
        cross join ends
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

{{ running_sums('group_changes', ['breakdown', 'breakdown_key'], types, name='totals') }},

-- A campaign's cost per customer is another one every day.
{{ running_sums('customer_changes', keys, {'customers': 'bigint', 'new_customers': 'bigint'}, name='cells') }},

cell_costs as (
    select
        {{ select_list(keys, 'cells') }},
        cells.event_date,
        cast(cells.customers as decimal(10, 0)) * costs.acquisition_cost as acquisition_cost,
        case when costs.acquisition_cost is null then cells.customers else 0 end as costs_missing_rate,
        cast(cells.new_customers as decimal(10, 0)) * costs.acquisition_cost as acquisition_spend,
        case when costs.acquisition_cost is null then cells.new_customers else 0 end as new_customers_missing_rate
    from cells
    inner join costs on cells.campaign = costs.campaign and cells.event_date = costs.event_date
    where costs.is_paid
),

group_costs as (
    {% for breakdown in ['overall'] + keys %}
        {%- set column = breakdown if breakdown != 'overall' %}
        select
            '{{ breakdown }}' as breakdown,
            {{ breakdown_key(column or none) }} as breakdown_key,
            {% for name in cost_parts %}
                coalesce(sum({{ name }}), 0) as {{ name }},
            {% endfor %}
            event_date
        from cell_costs
        group by event_date{{ ', ' ~ column if column }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

sums as (
    select
        totals.*,
        coalesce(costs.acquisition_cost, 0) as acquisition_cost,
        coalesce(costs.acquisition_spend, 0) as acquisition_spend,
        coalesce(costs.new_customers_missing_rate, 0) as new_customers_missing_rate,
        totals.paid_orders_missing_rate + coalesce(costs.costs_missing_rate, 0) as paid_missing_rate,
        totals.paid_first_year_customers * ({{ day_number('totals.event_date') }} + 1) - totals.paid_first_year_starts
        + {{ year }} * (totals.paid_customers - totals.paid_first_year_customers) as paid_days
    from totals
    left join group_costs as costs
        on
            totals.breakdown = costs.breakdown
            and totals.breakdown_key = costs.breakdown_key
            and totals.event_date = costs.event_date
),

divided as (
    select
        *,
        {% for name, metric in customer_metrics().items() %}
            {{ metric.gap }} as {{ name }}_gap,
            {% for part in ['numerator', 'denominator'] %}
                case when {{ metric.gap }} is null then cast({{ metric[part] }} as double) end as {{ name }}_{{ part }},
            {% endfor %}
        {% endfor %}
        {{ as_of() }} as as_of
    from sums
)

select
    breakdown,
    breakdown_key,
    event_date,
    {% for name in counts %}
        cast({{ name }} as bigint) as {{ name }},
    {% endfor %}
    case when trailing_missing_rate = 0 then cast(trailing_revenue as decimal(18, 4)) end as trailing_revenue,
    case when orders_missing_rate = 0 then cast(revenue as decimal(18, 4)) end as revenue,
    case when orders_missing_cost + orders_missing_rate = 0 then cast(cost_of_goods as decimal(18, 4)) end
        as cost_of_goods,
    case when gross_margin_percent_gap is null then cast(acquisition_spend as decimal(18, 4)) end as acquisition_spend,
    {% for name, metric in customer_metrics().items() %}
        {{ metric.get('scale', 1) }} * {{ safe_divide(name ~ '_numerator', name ~ '_denominator') }}
            as {{ name }}_value,
        {{ name }}_numerator,
        {{ name }}_denominator,
        case
            when {{ name }}_gap is not null then {{ name }}_gap
            when coalesce({{ name }}_denominator, 0) = 0 then 'zero_denominator'
        end as {{ name }}_null_reason,
    {% endfor %}
    as_of
from divided
