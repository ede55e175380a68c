{#- Days on which the loads changed contacts or conversions; all when everything is built anew. -#}
{% macro changed_contact_days(loads) %}
    {%- set models = [ref('int_touchpoints'), ref('int_conversions')] -%}
    {%- if not asks_the_lake() -%}{{ return({'days': [], 'since': none}) }}{%- endif -%}
    {%- if loads.rebuild -%}{{ return(none) }}{%- endif -%}
    {%- set query -%}
        {%- for model in models %}
            select cast(event_date as varchar) as day
            from ({{ changed_versions(model, ['event_date'], loads) }}) as changed
            {{ 'union' if not loop.last else 'order by day' }}
        {%- endfor -%}
    {%- endset -%}
    {{ return(queried_days(query)) }}
{% endmacro %}


{#- The hours of a day as a relation with the column `hour_of_day`. -#}
{% macro hours_of_day() -%}
    (values {% for hour in range(24) %}({{ hour }}){{ ', ' if not loop.last }}{% endfor %}) as hours (hour_of_day)
{%- endmacro %}


{#- How busy an hour is beside the busiest, in the words of the heat map's legend. -#}
{% macro heat_level(percent) -%}
    case
        when {{ percent }} is null then null
        when {{ percent }} < 20 then 'low'
        when {{ percent }} < 40 then 'medium'
        when {{ percent }} < 60 then 'high'
        else 'peak'
    end
{%- endmacro %}
