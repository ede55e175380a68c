{#-
    Who came into which arm of a campaign, and what they converted after that: the CTEs deliveries, arms and outcomes, from
    the rows that are `shown`. `touched`, where it is given, is a CTE of the campaigns to look at.
-#}
{% macro holdout_users(shown, touched=none) -%}
    deliveries as (
        select
            event_id,
            campaign_id,
            user_id,
            segment,
            occurred_at,
            action
        from {{ ref('int_touchpoints') }}
        where
            {{ shown }}
            and action in ('sent', 'held_out')
            {{ 'and campaign_id in (select ' ~ touched ~ '.campaign_id from ' ~ touched ~ ')' if touched }}
    ),

    arms as (
        select
            campaign_id,
            user_id,
            case
                when min(action) <> max(action) then 'both_arms'
                when max(action) = 'sent' then 'treatment'
                else 'holdout'
            end as arm,
            {{ first_value_by('segment', ['occurred_at', 'event_id']) }} as segment,
            min(occurred_at) as assigned_at
        from deliveries
        group by campaign_id, user_id
    ),

    -- What the origin states, …
    outcomes as (
        select
            conversions.event_id,
            arms.campaign_id,
            arms.segment,
            arms.user_id,
            arms.arm,
            conversions.occurred_at,
            conversions.event_date,
            conversions.conversion_value as amount
        from (select * from {{ ref('int_conversions') }} where {{ shown }}) as conversions
        inner join arms on conversions.campaign_id = arms.campaign_id and conversions.user_id = arms.user_id
        where
            conversions.kind = 'emitted'
            and not conversions.is_repeated
            and conversions.occurred_at >= arms.assigned_at

        union

        -- … and where it states none, orders within the look-back of a delivery: who is held out has no touch to credit.
        select
            orders.event_id,
            arms.campaign_id,
            arms.segment,
            arms.user_id,
            arms.arm,
            orders.occurred_at,
            orders.event_date,
            orders.order_value as amount
        from (select * from {{ ref('int_orders') }} where {{ shown }}) as orders
        inner join deliveries
            on
                orders.user_id = deliveries.user_id
                and orders.occurred_at >= deliveries.occurred_at
                and orders.occurred_at <= {{ plus_seconds('deliveries.occurred_at', lookback_seconds()) }}
        inner join arms on deliveries.campaign_id = arms.campaign_id and deliveries.user_id = arms.user_id
        where orders.is_credited and not orders.is_repeated
    )
{%- endmacro %}
