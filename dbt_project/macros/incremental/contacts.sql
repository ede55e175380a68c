{#- Everything that happened between users and campaigns, of the events that meet `condition`, under one `action`. -#}
{% macro campaign_contacts(condition) -%}
    {%- set actions = {
        'stg_campaign_delivered': "case when is_holdout then 'held_out' else 'sent' end",
        'stg_campaign_viewed': "case when view_type in ('opened', 'clicked_cta') then 'opened' else 'viewed' end",
        'stg_campaign_clicked': "'clicked'",
    } -%}
    {%- for model, action in actions.items() %}
        select
            event_id,
            occurred_at,
            event_date,
            user_id,
            campaign_id,
            creative_id,
            coalesce(user_segment, 'unknown') as segment,
            delivery_channel,
            {{ action }} as action
        from {{ ref(model) }}
        where {{ condition }}
        {{ 'union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}
