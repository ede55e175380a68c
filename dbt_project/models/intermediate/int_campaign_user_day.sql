{{ config(
    incremental_strategy='keys',
    unique_key=['event_date', 'campaign_id', 'user_id'],
    partition_by='event_date',
    meta={'keep_if': 'sent + held_out + viewed + opened + clicked + conversions > 0'},
) }}

{%- set loads = loads() -%}

with facts as (
    select
        event_date,
        campaign_id,
        user_id,
        occurred_at,
        action,
        is_held_out,
        cast(null as decimal(18, 4)) as conversion_value
    from {{ ref('int_touchpoints') }}
    where {{ held_at(loads.until) }}
    union all
    select
        event_date,
        campaign_id,
        user_id,
        occurred_at,
        'converted' as action,
        is_held_out,
        conversion_value
    from {{ ref('int_conversions') }}
    where {{ held_at(loads.until) }} and not is_repeated
),

{% if loads.rebuild %}
    touched_facts as (
        select * from facts
    )
{% else %}
    touched as (
        {% for model in ['int_touchpoints', 'int_conversions'] %}
            select
                event_date,
                campaign_id,
                user_id
            from ({{ changed_versions(ref(model), ['event_date', 'campaign_id', 'user_id'], loads) }}) as changed
            {{ 'union' if not loop.last }}
        {% endfor %}
    ),

    touched_facts as (
        select
            touched.event_date,
            touched.campaign_id,
            touched.user_id,
            facts.occurred_at,
            facts.action,
            facts.is_held_out,
            facts.conversion_value
        from touched
        left join facts
            on
                touched.event_date = facts.event_date
                and touched.campaign_id = facts.campaign_id
                and touched.user_id = facts.user_id
    )
{% endif %}

select
    event_date,
    campaign_id,
    user_id,
    {% for action in ['sent', 'held_out', 'viewed', 'opened', 'clicked'] %}
        cast(sum(case when action = '{{ action }}' then 1 else 0 end) as bigint) as {{ action }},
    {% endfor %}
    cast(sum(case when action = 'converted' then 1 else 0 end) as bigint) as conversions,
    cast(sum(conversion_value) as decimal(18, 4)) as conversion_value,
    coalesce(max(case when is_held_out then 1 else 0 end), 0) = 1 as is_held_out,
    min(occurred_at) as first_at,
    max(occurred_at) as last_at
from touched_facts
group by event_date, campaign_id, user_id
