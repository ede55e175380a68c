{#- What a person wants to know of the campaign beside its numbers. -#}
{% macro campaign_columns(relation) -%}
    cast({{ relation }}.breakdown_key as {{ uuid_type() }}) as campaign_id,
    campaigns.name,
    campaigns.campaign_type,
    campaigns.platform,
    campaigns.status
{%- endmacro %}


{#- Inputs, then metrics, each beside the reason why it may be null. Orders as such belong to no campaign. -#}
{% macro performance_columns(relation) -%}
    {%- for name in performance_inputs() if name not in ['orders', 'order_revenue'] %}
        {{ relation }}.{{ name }},
    {%- endfor %}
    {%- for name in delivery_metrics() if name not in performance_inputs() %}
        {{ relation }}.{{ name }}_value as {{ name }},
        {{ relation }}.{{ name }}_null_reason{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}
