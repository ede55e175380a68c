{{ config(materialized='view') }}

{%- set shown = 'closed_by_load_id is null and event_date <= ' ~ as_of_date() %}

-- What models of uplift learn from. A view: only their training reads it.
with {{ holdout_users(shown) }},

experiments as (
    select campaign_id
    from arms
    where arm <> 'both_arms'
    group by campaign_id
    having count(distinct arm) = 2
),

users as (
    select
        arms.campaign_id,
        arms.user_id,
        arms.assigned_at,
        arms.arm = 'treatment' as is_treated,
        max(case
            when outcomes.occurred_at <= {{ plus_seconds('arms.assigned_at', lookback_seconds()) }} then 1 else 0
        end) = 1 as is_converted
    from arms
    inner join experiments on arms.campaign_id = experiments.campaign_id
    left join outcomes on arms.campaign_id = outcomes.campaign_id and arms.user_id = outcomes.user_id
    where arms.arm <> 'both_arms'
    group by arms.campaign_id, arms.user_id, arms.assigned_at, arms.arm
),

moments as (
    select
        user_id,
        assigned_at as occurred_at,
        'assigned' as kind,
        cast(null as decimal(18, 4)) as amount,
        campaign_id,
        is_treated,
        is_converted
    from users
    union all
    select
        user_id,
        occurred_at,
        'ordered' as kind,
        order_value as amount,
        null as campaign_id,
        null as is_treated,
        null as is_converted
    from {{ ref('int_orders') }}
    where {{ shown }} and not is_repeated
    union all
    select
        user_id,
        occurred_at,
        action as kind,
        null as amount,
        null as campaign_id,
        null as is_treated,
        null as is_converted
    from {{ ref('int_touchpoints') }}
    where {{ shown }} and action in ('sent', 'opened', 'clicked')
),

-- Nothing of the very instant of the assignment was known before it.
known as (
    select
        user_id,
        campaign_id,
        kind,
        occurred_at as assigned_at,
        is_treated,
        is_converted,
        max(case when kind = 'ordered' then occurred_at end) over before as last_order_at,
        count(case when kind = 'ordered' then 1 end) over days_90 as orders_90d,
        coalesce(sum(amount) over days_90, 0) as spend_90d,
        count(case when kind = 'sent' then 1 end) over days_30 as deliveries_30d,
        count(case when kind = 'opened' then 1 end) over days_30 as opens_30d,
        count(case when kind = 'clicked' then 1 end) over days_30 as clicks_30d
    from moments
    window
        before as (
            partition by user_id
            order by occurred_at range between unbounded preceding and interval 1 microsecond preceding
        ),
        days_30 as (
            partition by user_id
            order by occurred_at range between interval 30 day preceding and interval 1 microsecond preceding
        ),
        days_90 as (
            partition by user_id
            order by occurred_at range between interval 90 day preceding and interval 1 microsecond preceding
        )
)

select
    campaign_id,
    user_id,
    assigned_at,
    is_treated,
    is_converted,
    {{ hours_between('last_order_at', 'assigned_at') }} / 24 as days_since_last_order,
    cast(orders_90d as bigint) as orders_90d,
    cast(spend_90d as double) as spend_90d,
    cast(deliveries_30d as bigint) as deliveries_30d,
    cast(opens_30d as bigint) as opens_30d,
    cast(clicks_30d as bigint) as clicks_30d
from known
where kind = 'assigned'
