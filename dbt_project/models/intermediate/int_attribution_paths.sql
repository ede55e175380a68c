{{ config(incremental_strategy='days', meta={'days': 'changed_journey_days'}) }}

{%- set loads = loads() -%}
{%- set groups = credited_breakdowns() %}

with journeys as (
    select
        journey_id,
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

steps as (
    {% for breakdown, list in groups.items() %}
        select
            journey_id,
            position,
            '{{ breakdown }}' as breakdown,
            step
        from {{ unnested('journeys', {'step': list}) }} as steps
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

-- A run of the same group is one step: neither Markov's chain of order 1 nor Shapley's sets see more in it.
changes as (
    select *
    from (
        select
            *,
            lag(step) over (partition by breakdown, journey_id order by position) as earlier_step
        from steps
    ) as steps
    where earlier_step is null or earlier_step <> step
),

paths as (
    select
        journey_id,
        breakdown,
        {{ ordered_list('step', 'position') }} as path
    from changes
    group by journey_id, breakdown
)

select
    journeys.event_date,
    paths.breakdown,
    paths.path,
    count(journeys.order_id) as conversions,
    cast(coalesce(sum(journeys.order_value), 0) as decimal(18, 4)) as revenue,
    count(*) - count(journeys.order_id) as unconverted,
    cast(sum(case when journeys.is_missing_rate then 1 else 0 end) as bigint) as missing_rate
from paths
inner join journeys on paths.journey_id = journeys.journey_id
group by journeys.event_date, paths.breakdown, paths.path
