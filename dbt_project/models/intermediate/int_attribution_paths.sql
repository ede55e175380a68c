{{ config(incremental_strategy='days', meta={'days': 'changed_journey_days'}) }}

{%- set loads = loads() -%}
{%- set groups = credited_breakdowns() %}

with journeys as (
    select
        event_date,
        {{ groups.values() | join(',\n        ') }},
        order_id,
        order_value,
        is_missing_rate
    from {{ ref('int_journeys') }}
    where
        {{ held_at(loads.until) }}
        and campaign_ids is not null
        and {{ in_days('event_date', changed_journey_days(loads)) }}
),

-- Ways are far fewer than journeys.
ways as (
    {% for breakdown, list in groups.items() %}
        select
            event_date,
            '{{ breakdown }}' as breakdown,
            {{ list }} as steps,
            count(order_id) as conversions,
            coalesce(sum(order_value), 0) as revenue,
            count(*) - count(order_id) as unconverted,
            sum(case when is_missing_rate then 1 else 0 end) as missing_rate
        from journeys
        group by event_date, {{ list }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

numbered as (
    select
        *,
        row_number() over (order by breakdown, event_date, steps) as way
    from ways
),

steps as (
    select
        way,
        position,
        step
    from {{ unnested('numbered', {'step': 'steps'}) }} as steps
),

-- A run of the same group is one step: neither Markov's chain of order 1 nor Shapley's sets see more in it.
changes as (
    select *
    from (
        select
            *,
            lag(step) over (partition by way order by position) as earlier_step
        from steps
    ) as steps
    where earlier_step is null or earlier_step <> step
),

paths as (
    select
        way,
        {{ ordered_list('step', 'position') }} as path
    from changes
    group by way
)

select
    numbered.event_date,
    numbered.breakdown,
    paths.path,
    cast(sum(numbered.conversions) as bigint) as conversions,
    cast(sum(numbered.revenue) as decimal(18, 4)) as revenue,
    cast(sum(numbered.unconverted) as bigint) as unconverted,
    cast(sum(numbered.missing_rate) as bigint) as missing_rate
from paths
inner join numbered on paths.way = numbered.way
group by numbered.event_date, numbered.breakdown, paths.path
