{#- The columns one below the other, each with the alias of its relation. -#}
{% macro select_list(columns, alias) -%}
    {%- for column in columns -%}
        {{ alias }}.{{ column }}{{ ',\n' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
