{#- Campaigns whose platform or type is another one than before the loads: their rows belong to other groups now. -#}
{% macro regrouped_campaigns(loads) -%}
    select campaign_id
    from {{ ref('stg_campaigns') }}
    where load_id > {{ loads.since }} or closed_by_load_id > {{ loads.since }}
    group by campaign_id
    having
        max(case when closed_by_load_id is null then platform end)
        is distinct from max(case when {{ held_at(loads.since) }} then platform end)
        or max(case when closed_by_load_id is null then campaign_type end)
        is distinct from max(case when {{ held_at(loads.since) }} then campaign_type end)
{%- endmacro %}
