{{ config(incremental_strategy='whole') }}

{%- set customer_parts = {
    'customers': 'count(*)',
    'trailing_revenue': 'coalesce(sum(trailing_revenue), 0)',
    'trailing_missing_rate': 'coalesce(sum(trailing_missing_rate), 0)',
    'buyers': 'coalesce(sum(case when recent_orders >= 1 then 1 end), 0)',
    'repeat_buyers': 'coalesce(sum(case when recent_orders >= 2 then 1 end), 0)',
    'acquired_customers': 'count(campaign_id)',
    'paid_customers': 'coalesce(sum(case when is_paid then 1 end), 0)',
    'acquisition_cost': 'coalesce(sum(acquisition_cost), 0)',
    'paid_revenue': 'coalesce(sum(case when is_paid then trailing_revenue end), 0)',
    'paid_days': 'coalesce(sum(case when is_paid then days_observed end), 0)',
    'paid_missing_rate': "coalesce(sum(case when is_paid then trailing_missing_rate end), 0)"
        ~ " + coalesce(sum(case when is_paid and acquisition_cost is null then 1 end), 0)",
} -%}
{%- set order_parts = {
    'orders': 'count(*)',
    'revenue': 'coalesce(sum(order_value), 0)',
    'cost_of_goods': 'coalesce(sum(cost_of_goods), 0)',
    'orders_missing_cost': 'coalesce(sum(case when is_missing_cost then 1 end), 0)',
    'orders_missing_rate': 'coalesce(sum(case when is_missing_rate then 1 end), 0)',
} -%}
{%- set acquisition_parts = {
    'new_customers': 'count(campaign_id)',
    'new_paid_customers': 'coalesce(sum(case when is_paid then 1 end), 0)',
    'acquisition_spend': 'coalesce(sum(acquisition_cost), 0)',
    'new_customers_missing_rate': 'coalesce(sum(case when is_paid and acquisition_cost is null then 1 end), 0)',
} -%}
{%- set sources = [
    {'relation': 'customers', 'parts': customer_parts, 'groups': {
        'overall': none,
        'campaign': 'campaign_id',
        'segment': 'segment',
        'platform': 'platform',
        'campaign_type': 'campaign_type',
    }},
    {'relation': 'margins', 'parts': order_parts, 'groups': {'overall': none, 'segment': 'segment'}},
    {'relation': 'new_customers', 'parts': acquisition_parts, 'groups': {'overall': none, 'segment': 'first_segment'}},
] -%}
{%- set names = (customer_parts.keys() | list) + (order_parts.keys() | list) + (acquisition_parts.keys() | list) %}
{%- set counts = names | reject('in', [
    'trailing_revenue', 'acquisition_cost', 'paid_revenue', 'revenue', 'cost_of_goods', 'acquisition_spend',
]) | list -%}

with customers as (
    select * from {{ ref('int_customer_value') }}
),

new_customers as (
    select * from customers
    where first_order_date >= {{ window_start(90) }}
),

margins as (
    select * from {{ ref('int_order_margins') }}
),

-- Customers count in the groups of their latest order's segment and of the campaign that acquired them, money of the
-- margin in the segments of the orders that bring it.
parts as (
    {% for source in sources %}
        {%- set is_last = loop.last %}
        {%- for breakdown, column in source.groups.items() %}
            select
                '{{ breakdown }}' as breakdown,
                {% for name in names %}
                    {{ source.parts.get(name, '0') }} as {{ name }},
                {% endfor %}
                {{ breakdown_key(column) }} as breakdown_key
            from {{ source.relation }}
            {{ 'group by ' ~ column if column is not none }}
            {{ 'union all' if not (is_last and loop.last) }}
        {% endfor %}
    {% endfor %}
),

sums as (
    select
        breakdown,
        {% for name in names %}
            sum({{ name }}) as {{ name }},
        {% endfor %}
        breakdown_key
    from parts
    group by breakdown, breakdown_key
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
