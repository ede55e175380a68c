{{ config(incremental_strategy='days', meta={'days': 'changed_journey_days'}) }}

{%- set loads = loads() -%}
{%- set models = rule_based_models() -%}
{%- set groups = credited_breakdowns() %}

with orders as (
    select
        journey_id,
        event_date,
        {{ groups.values() | join(',\n        ') }},
        ages,
        order_value,
        is_missing_rate
    from {{ ref('int_journeys') }}
    where
        {{ held_at(loads.until) }}
        and order_id is not null
        and {{ in_days('event_date', changed_journey_days(loads)) }}
),

touches as (
    select
        *,
        count(*) over journey as touches,
        -- From the youngest touch on, whose weight then is 1: those of an old journey do not vanish.
        power(0.5, (age - min(age) over journey) / {{ attribution_half_life_seconds() }}) as decay
    from {{ unnested('orders', dict(groups, age='ages')) }} as steps
    window journey as (partition by journey_id)
),

-- Summed in the order of the touches, lest the last digit depend on the engine.
weighed as (
    select
        *,
        sum(decay) over until_touch as decay_until
    from touches
    window until_touch as (
        partition by journey_id order by position rows between unbounded preceding and current row
    )
),

shares as (
    select
        journey_id,
        event_date,
        {{ groups | join(',\n        ') }},
        position,
        touches,
        order_value,
        {% for model, share in models.items() %}
            {{ share }} as {{ model }}_share,
        {% endfor %}
        is_missing_rate
    from weighed
    window journey as (partition by journey_id)
),

-- Revenue credited up to and including a touch, of which the last one's is all: what rounding leaves goes to the next.
totals as (
    select
        journey_id,
        event_date,
        {{ groups | join(',\n        ') }},
        position,
        {% for model in models %}
            {{ model }}_share,
            case
                when position = touches then order_value
                else cast(order_value * sum({{ model }}_share) over until_touch as decimal(18, 4))
            end as {{ model }}_total,
        {% endfor %}
        is_missing_rate
    from shares
    window until_touch as (
        partition by journey_id order by position rows between unbounded preceding and current row
    )
),

credits as (
    select
        event_date,
        {{ groups | join(',\n        ') }},
        {% for model in models %}
            {{ model }}_share,
            {{ model }}_total - coalesce(lag({{ model }}_total) over in_order, 0) as {{ model }}_amount,
        {% endfor %}
        is_missing_rate
    from totals
    window in_order as (partition by journey_id order by position)
),

parts as (
    {% for breakdown in ['overall'] + groups | list %}
        select
            event_date,
            '{{ breakdown }}' as breakdown,
            {{ "'all'" if breakdown == 'overall' else breakdown }} as breakdown_key,
            {% for model in models %}
                {{ model }}_share,
                {{ model }}_amount,
            {% endfor %}
            is_missing_rate
        from credits

        union all

        select
            event_date,
            '{{ breakdown }}' as breakdown,
            'unattributed' as breakdown_key,
            {% for model in models %}
                1.0 as {{ model }}_share,
                order_value as {{ model }}_amount,
            {% endfor %}
            is_missing_rate
        from orders
        where campaign_ids is null
        {{ 'union all' if not loop.last }}
    {% endfor %}
)

-- Shares are summed as decimals, lest a sum's last digit depend on the order of its terms.
select
    event_date,
    breakdown,
    breakdown_key,
    {% for model in models %}
        sum(cast({{ model }}_share as decimal(38, 18))) as {{ model }}_orders,
        cast(coalesce(sum({{ model }}_amount), 0) as decimal(18, 4)) as {{ model }}_revenue,
    {% endfor %}
    cast(sum(case when is_missing_rate then 1 else 0 end) as bigint) as missing_rate
from parts
group by event_date, breakdown, breakdown_key
