{{ config(incremental_strategy='versions', unique_key='event_id') }}

{%- set loads = loads() -%}
{%- set days = rewritten_days(loads) -%}
{%- set revalued = revalued_days(loads) -%}
{%- set facts = [
    'kind', 'order_id', 'occurred_at', 'event_date', 'user_id', 'segment', 'stated_value', 'currency', 'campaign_id',
    'creative_id', 'delivery_channel',
] -%}
{%- set columns = facts + [
    'touch_event_id', 'conversion_value', 'is_missing_rate', 'is_repeated', 'is_held_out', 'is_counted', 'platform',
    'campaign_type', 'new_customer_id', 'new_customer_date', 'hours_to_conversion',
] -%}

{%- set orders -%}
    (select * from {{ ref('int_orders') }} where {{ held_at(loads.until) }} and not is_repeated)
{%- endset -%}

with new_rows as (
    select
        event_id,
        'emitted' as kind,
        order_id,
        occurred_at,
        event_date,
        user_id,
        coalesce(user_segment, 'unknown') as segment,
        order_value as stated_value,
        currency,
        campaign_id,
        creative_id,
        delivery_channel
    from {{ ref('stg_campaign_converted') }}
    where {{ comes_in(loads) }}
),

{% if loads.rebuild %}
    emitted as (
        select * from new_rows
    ),

    rivals as (
        select * from new_rows
        where false
    ),

    touched_orders as (
        select * from {{ orders }} as orders
        where is_credited
    ),
{% else %}
    gone as (
        {{ gone_rows(this, older_events('stg_campaign_converted', days, loads), loads, days, ['order_id', 'user_id']) }}
    ),

    changed_orders as (
        {{ changed_versions(ref('int_orders'), ['order_id', 'user_id', 'is_credited'], loads) }}
    ),

    named_orders as (
        select order_id from changed_orders
        union
        select order_id from new_rows
        union
        select order_id from gone
    ),

    changed_contacts as (
        {{ changed_versions(
            ref('int_touchpoints'), ['campaign_id', 'user_id', 'occurred_at', 'action in (\'opened\', \'clicked\') as is_touch'], loads
        ) }}
    ),

    regrouped as (
        {{ regrouped_campaigns(loads) }}
    ),

    -- Whose conversions may change: by an event of theirs, an order, a contact, a rate or a campaign.
    touched_users as (
        select user_id from new_rows
        union
        select user_id from gone
        union
        select user_id from changed_orders
        where is_credited
        union
        select open_rows.user_id
        from {{ open_versions(this) }} as open_rows
        inner join named_orders on open_rows.order_id = named_orders.order_id
        union
        select open_rows.user_id
        from {{ open_versions(this) }} as open_rows
        inner join changed_contacts
            on open_rows.campaign_id = changed_contacts.campaign_id and open_rows.user_id = changed_contacts.user_id
        union
        select orders.user_id
        from {{ orders }} as orders
        inner join changed_contacts
            on
                orders.user_id = changed_contacts.user_id
                and orders.occurred_at >= changed_contacts.occurred_at
                and orders.occurred_at <= {{ plus_seconds('changed_contacts.occurred_at', lookback_seconds()) }}
        where orders.is_credited and changed_contacts.is_touch
        union
        select user_id from {{ open_versions(this) }} as open_rows
        where currency is not null and {{ in_days('event_date', revalued) }}
        union
        select open_rows.user_id
        from {{ open_versions(this) }} as open_rows
        inner join regrouped on open_rows.campaign_id = regrouped.campaign_id
    ),

    existing as (
        select open_rows.*
        from {{ open_versions(this) }} as open_rows
        inner join touched_users on open_rows.user_id = touched_users.user_id
    ),

    emitted as (
        select * from (
            {{ new_and_kept('event_id', facts) }}
        ) as events
        where kind = 'emitted'
    ),

    -- Conversions of other users with the same order_id only take part in the question which of them came first.
    rivals as (
        select distinct
            open_rows.event_id,
            {{ select_list(facts, 'open_rows') }}
        from {{ open_versions(this) }} as open_rows
        inner join emitted on open_rows.order_id = emitted.order_id
        left join touched_users on open_rows.user_id = touched_users.user_id
        where touched_users.user_id is null and open_rows.kind = 'emitted'
    ),

    touched_orders as (
        select orders.*
        from {{ orders }} as orders
        inner join touched_users on orders.user_id = touched_users.user_id
        where orders.is_credited
    ),
{% endif %}

contacts as (
    select
        contacts.event_id,
        contacts.occurred_at,
        contacts.user_id,
        contacts.campaign_id,
        contacts.creative_id,
        contacts.delivery_channel,
        contacts.action,
        contacts.is_held_out
    from {{ ref('int_touchpoints') }} as contacts
    {% if not loads.rebuild %}
        inner join touched_users on contacts.user_id = touched_users.user_id
    {% endif %}
    where {{ held_at(loads.until, 'contacts') }}
),

-- The last touch within the look-back; at one instant a click wins, then the smaller campaign, then the smaller event.
credits as (
    select
        touched_orders.event_id,
        contacts.event_id as touch_event_id,
        contacts.campaign_id,
        contacts.creative_id,
        contacts.delivery_channel,
        row_number() over (
            partition by touched_orders.event_id
            order by
                contacts.occurred_at desc,
                case when contacts.action = 'clicked' then 0 else 1 end asc,
                contacts.campaign_id asc,
                contacts.event_id asc
        ) as place
    from touched_orders
    inner join contacts
        on
            touched_orders.user_id = contacts.user_id
            and touched_orders.occurred_at >= contacts.occurred_at
            and touched_orders.occurred_at <= {{ plus_seconds('contacts.occurred_at', lookback_seconds()) }}
    where contacts.action in ('opened', 'clicked') and not contacts.is_held_out
),

conversions as (
    select
        ranked.*,
        cast(null as {{ uuid_type() }}) as touch_event_id
    from (
        select
            *,
            row_number() over (partition by order_id order by occurred_at, event_id) > 1 as is_repeated
        from (
            select
                *,
                false as is_rival
            from emitted
            union all
            select
                *,
                true as is_rival
            from rivals
        ) as events
    ) as ranked
    where not ranked.is_rival

    union all

    select
        touched_orders.event_id,
        'credited' as kind,
        touched_orders.order_id,
        touched_orders.occurred_at,
        touched_orders.event_date,
        touched_orders.user_id,
        touched_orders.segment,
        touched_orders.stated_value,
        touched_orders.currency,
        credits.campaign_id,
        credits.creative_id,
        credits.delivery_channel,
        false as is_rival,
        false as is_repeated,
        credits.touch_event_id
    from touched_orders
    inner join credits on touched_orders.event_id = credits.event_id and credits.place = 1
),

pairs as (
    select distinct
        campaign_id,
        user_id
    from conversions
),

arms as (
    select
        contacts.campaign_id,
        contacts.user_id,
        max(case when contacts.is_held_out then 1 else 0 end) = 1 as is_held_out,
        coalesce(
            min(case when contacts.action = 'sent' then contacts.occurred_at end),
            min(case when contacts.action in ('opened', 'viewed') then contacts.occurred_at end)
        ) as first_impression_at
    from contacts
    inner join pairs on contacts.campaign_id = pairs.campaign_id and contacts.user_id = pairs.user_id
    group by contacts.campaign_id, contacts.user_id
),

explained as (
    select
        conversions.*,
        {{ in_base_currency('conversions.stated_value', 'conversions.currency') }} as conversion_value,
        coalesce(arms.is_held_out, false) as is_held_out,
        not conversions.is_repeated and not coalesce(arms.is_held_out, false) as is_counted,
        coalesce(campaigns.platform, conversions.delivery_channel, 'unknown') as platform,
        coalesce(campaigns.campaign_type, 'unknown') as campaign_type,
        case when orders.is_first_order then orders.user_id end as new_customer_id,
        case when orders.is_first_order then orders.event_date end as new_customer_date,
        case
            when conversions.occurred_at >= arms.first_impression_at
                then {{ hours_between('arms.first_impression_at', 'conversions.occurred_at') }}
        end as hours_since_impression
    from conversions
    left join arms on conversions.campaign_id = arms.campaign_id and conversions.user_id = arms.user_id
    left join {{ orders }} as orders on conversions.order_id = orders.order_id
    left join {{ ref('int_campaigns') }} as campaigns on conversions.campaign_id = campaigns.campaign_id
    left join {{ ref('int_fx_rates') }} as rates on {{ on_rate('conversions.currency', 'conversions.event_date') }}
),

desired as (
    select
        *,
        conversion_value is null as is_missing_rate,
        case
            when
                is_counted
                and hours_since_impression is not null
                and row_number() over (
                    partition by campaign_id, user_id, is_counted, hours_since_impression is null
                    order by occurred_at, event_id
                ) = 1
                then hours_since_impression
        end as hours_to_conversion
    from explained
)

{{ version_changes('event_id', columns, loads) }}
