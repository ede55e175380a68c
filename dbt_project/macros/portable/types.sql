{% macro uuid_type() -%}{{ return(adapter.dispatch('uuid_type')()) }}{%- endmacro %}
{% macro duckdb__uuid_type() -%}uuid{%- endmacro %}
{% macro spark__uuid_type() -%}string{%- endmacro %}
