{#- A variable of the session. -#}
{% macro run_input(name) -%}{{ return(adapter.dispatch('run_input')(name)) }}{%- endmacro %}
{% macro duckdb__run_input(name) -%}getvariable('{{ name }}'){%- endmacro %}
{% macro spark__run_input(name) -%}session.{{ name }}{%- endmacro %}
