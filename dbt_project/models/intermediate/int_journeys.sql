{{ config(incremental_strategy='versions', unique_key='journey_id') }}

{%- set loads = loads() -%}
{%- set groups = credited_breakdowns() -%}
{%- set columns = ['user_id', 'event_date', 'occurred_at', 'order_id', 'order_value', 'is_missing_rate']
    + groups.values() | list + ['ages'] -%}

{%- set orders -%}
    (select * from {{ ref('int_orders') }} where {{ held_at(loads.until) }} and not is_repeated)
{%- endset %}

with
{% if not loads.rebuild %}
    changed_touches as (
        {{ changed_versions(
            ref('int_touchpoints'), ['user_id', 'action in (\'opened\', \'clicked\') and not is_held_out as is_touch'], loads
        ) }}
    ),

    touched_users as (
        select user_id from ({{ changed_versions(ref('int_orders'), ['user_id'], loads) }}) as changed_orders
        union
        select user_id from changed_touches
        where is_touch
    ),

    existing as (
        select open_rows.*
        from {{ open_versions(this) }} as open_rows
        inner join touched_users on open_rows.user_id = touched_users.user_id
    ),
{% endif %}

orders as (
    select
        orders.event_id,
        orders.order_id,
        orders.user_id,
        orders.occurred_at,
        orders.event_date,
        orders.order_value,
        orders.is_missing_rate
    from {{ orders }} as orders
    {% if not loads.rebuild %}
        inner join touched_users on orders.user_id = touched_users.user_id
    {% endif %}
),

-- In the order of time; at one instant a click comes last, then the smaller campaign, then the smaller event.
touches as (
    select
        contacts.event_id,
        contacts.user_id,
        contacts.occurred_at,
        {% for group in groups %}
            {{ breakdown_key('contacts.' ~ breakdowns()[group]) }} as {{ group }},
        {% endfor %}
        row_number() over (
            partition by contacts.user_id
            order by
                contacts.occurred_at asc,
                case when contacts.action = 'clicked' then 1 else 0 end asc,
                contacts.campaign_id desc,
                contacts.event_id desc
        ) as place
    from {{ ref('int_touchpoints') }} as contacts
    {% if not loads.rebuild %}
        inner join touched_users on contacts.user_id = touched_users.user_id
    {% endif %}
    where
        {{ held_at(loads.until, 'contacts') }}
        and contacts.action in ('opened', 'clicked')
        and not contacts.is_held_out
),

claims as (
    select
        orders.event_id as journey_id,
        touches.event_id as touch_event_id,
        {% for group in groups %}
            touches.{{ group }},
        {% endfor %}
        touches.place,
        {{ seconds_between('touches.occurred_at', 'orders.occurred_at') }} as age
    from orders
    inner join touches
        on
            orders.user_id = touches.user_id
            and orders.occurred_at >= touches.occurred_at
            and orders.occurred_at <= {{ plus_seconds('touches.occurred_at', lookback_seconds()) }}
),

claimed as (
    select distinct touch_event_id from claims
),

-- Touches within the look-back of no order, counted in spans of that length since the first of them: each is a journey.
spans as (
    select
        touches.*,
        floor(
            {{ seconds_between('min(touches.occurred_at) over touches_of_user', 'touches.occurred_at') }}
            / {{ lookback_seconds() }}
        ) as span
    from touches
    left join claimed on touches.event_id = claimed.touch_event_id
    where claimed.touch_event_id is null
    window touches_of_user as (partition by touches.user_id)
),

unclaimed as (
    select
        *,
        first_value(event_id) over (partition by user_id, span order by place) as journey_id
    from spans
),

steps as (
    select
        journey_id,
        {{ groups | join(',\n        ') }},
        place,
        age
    from claims

    union all

    select
        journey_id,
        {{ groups | join(',\n        ') }},
        place,
        cast(null as double) as age
    from unclaimed
),

paths as (
    select
        journey_id,
        {% for group, list in groups.items() %}
            {{ ordered_list(group, 'place') }} as {{ list }},
        {% endfor %}
        {{ ordered_list('age', 'place') }} as ages
    from steps
    group by journey_id
),

ends as (
    select
        event_id as journey_id,
        user_id,
        event_date,
        occurred_at,
        order_id,
        order_value,
        is_missing_rate
    from orders

    union all

    select
        journey_id,
        user_id,
        cast(max(occurred_at) as date) as event_date,
        max(occurred_at) as occurred_at,
        cast(null as {{ uuid_type() }}) as order_id,
        cast(null as decimal(18, 4)) as order_value,
        false as is_missing_rate
    from unclaimed
    group by journey_id, user_id
),

desired as (
    select
        ends.*,
        {% for list in groups.values() %}
            paths.{{ list }},
        {% endfor %}
        paths.ages
    from ends
    left join paths on ends.journey_id = paths.journey_id
)

{{ version_changes('journey_id', columns, loads) }}
