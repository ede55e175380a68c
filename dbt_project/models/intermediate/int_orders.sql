{{ config(incremental_strategy='versions', unique_key='event_id') }}

{%- set loads = loads() -%}
{%- set days = rewritten_days(loads) -%}
{%- set revalued = revalued_days(loads) -%}
{%- set facts = [
    'order_id', 'occurred_at', 'event_date', 'user_id', 'segment', 'category', 'stated_value', 'currency', 'is_credited',
] -%}
{%- set columns = facts + ['order_value', 'is_missing_rate', 'is_repeated', 'is_first_order'] -%}

with load_log as (
    select
        load_id,
        conversions = 'credited' as is_credited
    from {{ source('ops', 'load_log') }}
),

new_rows as (
    select
        purchases.event_id,
        purchases.order_id,
        purchases.occurred_at,
        purchases.event_date,
        purchases.user_id,
        coalesce(purchases.user_segment, 'unknown') as segment,
        purchases.order_category as category,
        purchases.order_value as stated_value,
        purchases.currency,
        coalesce(load_log.is_credited, false) as is_credited
    from {{ ref('stg_user_purchased') }} as purchases
    left join load_log on purchases.load_id = load_log.load_id
    where {{ comes_in(loads, 'purchases') }}
),

{% if loads.rebuild %}
    purchases as (
        select * from new_rows
    ),

    rivals as (
        select * from new_rows
        where false
    ),
{% else %}
    gone as (
        {{ gone_rows(this, older_events('stg_user_purchased', days, loads), loads, days, ['order_id', 'user_id']) }}
    ),

    touched_orders as (
        select order_id from new_rows
        union
        select order_id from gone
    ),

    -- Which order is a user's first rests on all of the user's orders.
    touched_users as (
        select user_id from new_rows
        union
        select orders.user_id
        from {{ open_versions(this) }} as orders
        inner join touched_orders on orders.order_id = touched_orders.order_id
        union
        select user_id from {{ this }}
        where closed_by_load_id is null and currency is not null and {{ in_days('event_date', revalued) }}
    ),

    existing as (
        select orders.*
        from {{ open_versions(this) }} as orders
        inner join touched_users on orders.user_id = touched_users.user_id
    ),

    purchases as (
        {{ new_and_kept('event_id', facts) }}
    ),

    -- Events of other users with the same order_id only take part in the question which of them came first.
    rivals as (
        select distinct
            orders.event_id,
            {{ select_list(facts, 'orders') }}
        from {{ open_versions(this) }} as orders
        inner join purchases on orders.order_id = purchases.order_id
        left join touched_users on orders.user_id = touched_users.user_id
        where touched_users.user_id is null
    ),
{% endif %}

ranked as (
    select
        *,
        row_number() over (partition by order_id order by occurred_at, event_id) > 1 as is_repeated
    from (
        select
            *,
            false as is_rival
        from purchases
        union all
        select
            *,
            true as is_rival
        from rivals
    ) as events
),

valued as (
    select
        ranked.*,
        {{ in_base_currency('ranked.stated_value', 'ranked.currency') }} as order_value
    from ranked
    left join {{ ref('int_fx_rates') }} as rates on {{ on_rate('ranked.currency', 'ranked.event_date') }}
    where not ranked.is_rival
),

desired as (
    select
        *,
        order_value is null as is_missing_rate,
        not is_repeated
        and row_number() over (partition by user_id, is_repeated order by occurred_at, event_id) = 1 as is_first_order
    from valued
)

{{ version_changes('event_id', columns, loads) }}
