{{ config(
    incremental_strategy='keys',
    unique_key=['campaign_id'],
    meta={'by_as_of': true, 'keep_if': 'event_date is not null'},
) }}

{%- set loads = loads() -%}
{%- set arms = ['treatment', 'holdout'] -%}
{%- set shown = held_at(loads.until) ~ ' and event_date <= ' ~ as_of_date() %}

with
{% if not loads.rebuild %}
    changed_orders as (
        {{ changed_versions(ref('int_orders'), ['user_id', 'is_credited'], loads) }}
        union all
        select
            user_id,
            is_credited
        from {{ ref('int_orders') }}
        where event_date > date '{{ loads.shown_until }}'
    ),

    -- Whose arms or outcomes the loads changed, or the run's day brought into view.
    touched as (
        {% for model in ['int_touchpoints', 'int_conversions'] %}
            {{ changed_versions(ref(model), ['campaign_id'], loads) }}
            union
            select campaign_id
            from {{ ref(model) }}
            where event_date > date '{{ loads.shown_until }}'
            union
        {% endfor %}
        select deliveries.campaign_id
        from {{ open_versions(ref('int_touchpoints')) }} as deliveries
        inner join changed_orders on deliveries.user_id = changed_orders.user_id
        where deliveries.action in ('sent', 'held_out') and changed_orders.is_credited
    ),
{% endif %}

{{ holdout_users(shown, 'touched' if not loads.rebuild else none) }},

-- Who converted in a window that ends with the day of as_of did so last on one of its days.
days_of_users as (
    select
        campaign_id,
        segment,
        arm,
        event_date,
        case when event_date = max(event_date) over (partition by campaign_id, user_id) then 1 else 0 end as is_last
    from outcomes
    group by campaign_id, segment, user_id, arm, event_date
),

parts as (
    select
        campaign_id,
        segment,
        arm,
        cast(assigned_at as date) as event_date,
        1 as users,
        0 as converted,
        0 as last_converted,
        cast(0 as decimal(18, 4)) as revenue,
        0 as missing_rate
    from arms

    union all

    select
        campaign_id,
        segment,
        arm,
        event_date,
        0 as users,
        1 as converted,
        is_last as last_converted,
        0 as revenue,
        0 as missing_rate
    from days_of_users

    union all

    select
        campaign_id,
        segment,
        arm,
        event_date,
        0 as users,
        0 as converted,
        0 as last_converted,
        amount as revenue,
        case when amount is null then 1 else 0 end as missing_rate
    from outcomes

    {% if not loads.rebuild %}
        union all

        -- A campaign of which nothing is left.
        select
            campaign_id,
            null as segment,
            null as arm,
            null as event_date,
            0 as users,
            0 as converted,
            0 as last_converted,
            0 as revenue,
            0 as missing_rate
        from touched
    {% endif %}
)

select
    campaign_id,
    segment,
    event_date,
    {% for arm in arms %}
        cast(sum(case when arm = '{{ arm }}' then users else 0 end) as bigint) as {{ arm }}_users,
        cast(sum(case when arm = '{{ arm }}' then converted else 0 end) as bigint) as {{ arm }}_converted,
        cast(sum(case when arm = '{{ arm }}' then last_converted else 0 end) as bigint) as last_{{ arm }}_converted,
        cast(coalesce(sum(case when arm = '{{ arm }}' then revenue end), 0) as decimal(18, 4)) as {{ arm }}_revenue,
        cast(sum(case when arm = '{{ arm }}' then missing_rate else 0 end) as bigint) as {{ arm }}_missing_rate,
    {% endfor %}
    cast(sum(case when arm = 'both_arms' then users else 0 end) as bigint) as both_arms_users
from parts
group by campaign_id, segment, event_date
