{{ config(incremental_strategy='whole') }}

{%- set rule_based, data_driven = rule_based_models().keys() | list, data_driven_models() -%}
{%- set models = rule_based + data_driven %}

with windows as (
    select * from {{ ref('int_windows') }}
),

places as (
    select
        parts.breakdown,
        parts.breakdown_key,
        windows.window_label,
        {% for model in rule_based %}
            sum(parts.{{ model }}_orders) as {{ model }}_orders,
            sum(parts.{{ model }}_revenue) as {{ model }}_revenue,
        {% endfor %}
        sum(parts.missing_rate) as missing_rate
    from {{ ref('int_attribution_parts') }} as parts
    inner join windows on parts.event_date >= windows.period_start and parts.event_date <= windows.period_end
    group by parts.breakdown, parts.breakdown_key, windows.window_label
),

journeys as (
    select
        breakdown,
        breakdown_key,
        {% for model in data_driven %}
            max(case when model = '{{ model }}' then orders end) as {{ model }}_orders,
            max(case when model = '{{ model }}' then revenue end) as {{ model }}_revenue,
            max(case when model = '{{ model }}' then null_reason end) as {{ model }}_null_reason,
        {% endfor %}
        window_label
    from {{ ref('int_attribution_models') }}
    group by breakdown, breakdown_key, window_label
),

-- A group that no order touched may have credit in the chain. What has no touch is unattributed in every model.
credits as (
    select
        coalesce(places.breakdown, journeys.breakdown) as breakdown,
        coalesce(places.breakdown_key, journeys.breakdown_key) as breakdown_key,
        coalesce(places.window_label, journeys.window_label) as window_label,
        {% for model in rule_based %}
            coalesce(places.{{ model }}_orders, 0) as {{ model }}_orders,
            case
                when coalesce(places.missing_rate, 0) = 0 then coalesce(places.{{ model }}_revenue, 0)
            end as {{ model }}_revenue,
        {% endfor %}
        {% for model in data_driven %}
            case
                when places.breakdown_key = 'unattributed' then places.linear_orders
                else journeys.{{ model }}_orders
            end as {{ model }}_orders,
            case
                when coalesce(places.breakdown_key, '') <> 'unattributed' then journeys.{{ model }}_revenue
                when places.missing_rate = 0 then places.linear_revenue
            end as {{ model }}_revenue,
            case
                when places.breakdown_key = 'unattributed' and places.missing_rate > 0 then 'missing_rate'
                else journeys.{{ model }}_null_reason
            end as {{ model }}_null_reason,
        {% endfor %}
        coalesce(places.missing_rate, 0) as missing_rate
    from places
    full outer join journeys
        on
            places.breakdown = journeys.breakdown
            and places.breakdown_key = journeys.breakdown_key
            and places.window_label = journeys.window_label
),

spreads as (
    select
        *,
        greatest(
            {{ models | join('_revenue,\n            ') }}_revenue
        ) as highest_revenue,
        least(
            {{ models | join('_revenue,\n            ') }}_revenue
        ) as lowest_revenue,
        0
        {% for model in models %}
            + coalesce({{ model }}_revenue, 0)
        {% endfor %}
            as all_revenue,
        0
        {% for model in models %}
            + case when {{ model }}_revenue is null then 0 else 1 end
        {% endfor %}
            as models
    from credits
)

select
    spreads.breakdown,
    spreads.breakdown_key,
    campaigns.name as campaign_name,
    spreads.window_label,
    windows.period_start,
    windows.period_end,
    {% for model in models %}
        cast(spreads.{{ model }}_orders as double) as {{ model }}_orders,
        cast(spreads.{{ model }}_revenue as decimal(18, 4)) as {{ model }}_revenue,
    {% endfor %}
    case when spreads.missing_rate > 0 then 'missing_rate' end as rule_based_null_reason,
    {% for model in data_driven %}
        spreads.{{ model }}_null_reason,
    {% endfor %}
    cast(spreads.highest_revenue - spreads.lowest_revenue as double) as revenue_range,
    {{ safe_divide('spreads.all_revenue', 'spreads.models') }} as mean_revenue,
    100 * {{ safe_divide(
        'spreads.highest_revenue - spreads.lowest_revenue', safe_divide('spreads.all_revenue', 'spreads.models')
    ) }} as spread_percent,
    case
        when spreads.models = 0 then 'missing_rate'
        when spreads.all_revenue = 0 then 'zero_denominator'
    end as spread_null_reason,
    {{ as_of() }} as as_of
from spreads
inner join windows on spreads.window_label = windows.window_label
left join {{ ref('dim_campaigns') }} as campaigns on spreads.breakdown_key = cast(campaigns.campaign_id as varchar)
