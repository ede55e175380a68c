{{ config(incremental_strategy='versions', unique_key='event_id', partition_by='event_date') }}

{%- set loads = loads() -%}
{%- set days = rewritten_days(loads) -%}
{%- set facts = [
    'occurred_at', 'event_date', 'user_id', 'campaign_id', 'creative_id', 'segment', 'delivery_channel', 'action',
] -%}
{%- set columns = facts + ['message_channel', 'is_held_out', 'platform', 'campaign_type'] -%}

with new_rows as (
    {{ campaign_contacts(comes_in(loads)) }}
),

{% if loads.rebuild %}
    contacts as (
        select * from new_rows
    ),
{% else %}
    gone as (
        {%- set older = in_days('event_date', days) ~ ' and load_id <= ' ~ loads.since %}
        {{ gone_rows(this, campaign_contacts(older), loads, days, ['campaign_id', 'user_id']) }}
    ),

    touched as (
        select
            campaign_id,
            user_id
        from new_rows
        union
        select
            campaign_id,
            user_id
        from gone
    ),

    regrouped as (
        {{ regrouped_campaigns(loads) }}
    ),

    -- What may change: all between a touched user and campaign, for arms and channels rest on the whole of it.
    existing as (
        select open_rows.*
        from {{ open_versions(this) }} as open_rows
        inner join touched on open_rows.campaign_id = touched.campaign_id and open_rows.user_id = touched.user_id
        union
        select open_rows.*
        from {{ open_versions(this) }} as open_rows
        inner join regrouped on open_rows.campaign_id = regrouped.campaign_id
    ),

    contacts as (
        {{ new_and_kept('event_id', facts) }}
    ),
{% endif %}

deliveries as (
    select * from contacts
    where action in ('sent', 'held_out')
),

-- A user who was ever sent the campaign counts as treated, also when another delivery held it back.
arms as (
    select
        campaign_id,
        user_id,
        max(case when action = 'sent' then 1 else 0 end) = 0 as is_held_out
    from deliveries
    group by campaign_id, user_id
),

-- An event without a channel of its own came by that of the latest delivery before it, else of the first one.
delivered_channels as (
    select
        contacts.event_id,
        coalesce(
            {{ last_value_by(
                'deliveries.delivery_channel', ['deliveries.occurred_at', 'deliveries.event_id'],
                'deliveries.occurred_at <= contacts.occurred_at',
            ) }},
            {{ first_value_by('deliveries.delivery_channel', ['deliveries.occurred_at', 'deliveries.event_id']) }}
        ) as delivery_channel
    from contacts
    inner join deliveries
        on contacts.campaign_id = deliveries.campaign_id and contacts.user_id = deliveries.user_id
    where contacts.delivery_channel is null
    group by contacts.event_id
),

desired as (
    select
        contacts.*,
        coalesce(contacts.delivery_channel, delivered_channels.delivery_channel) as message_channel,
        coalesce(arms.is_held_out, false) as is_held_out,
        coalesce(campaigns.platform, contacts.delivery_channel, 'unknown') as platform,
        coalesce(campaigns.campaign_type, 'unknown') as campaign_type
    from contacts
    left join arms on contacts.campaign_id = arms.campaign_id and contacts.user_id = arms.user_id
    left join delivered_channels on contacts.event_id = delivered_channels.event_id
    left join {{ ref('int_campaigns') }} as campaigns on contacts.campaign_id = campaigns.campaign_id
)

{{ version_changes('event_id', columns, loads) }}
