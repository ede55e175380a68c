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

-- What all campaigns are credited with is credited overall.
credited as (
    {% for breakdown in [none, 'overall'] %}
        select
            {{ "'overall'" if breakdown else 'breakdown' }} as breakdown,
            {{ "'all'" if breakdown else 'breakdown_key' }} as breakdown_key,
            window_label,
            model,
            orders,
            revenue,
            null_reason
        from {{ ref('int_attribution_models') }}
        {{ "where breakdown = 'campaign'" if breakdown else 'union all' }}
    {% endfor %}
),

journeys as (
    select
        breakdown,
        breakdown_key,
        {% for model in data_driven %}
            sum(case when model = '{{ model }}' then orders end) as {{ model }}_orders,
            sum(case when model = '{{ model }}' then revenue end) as {{ model }}_revenue,
            max(case when model = '{{ model }}' then null_reason end) as {{ model }}_null_reason,
        {% endfor %}
        window_label
    from credited
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
        {{ revenue_spread(models) }}
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
    spreads.revenue_range,
    spreads.mean_revenue,
    100 * {{ safe_divide('spreads.revenue_range', 'spreads.mean_revenue') }} as spread_percent,
    case
        when spreads.mean_revenue is null then 'missing_rate'
        when spreads.mean_revenue = 0 then 'zero_denominator'
    end as spread_null_reason,
    {{ as_of() }} as as_of
from spreads
inner join windows on spreads.window_label = windows.window_label
left join {{ ref('dim_campaigns') }} as campaigns on spreads.breakdown_key = cast(campaigns.campaign_id as varchar)
