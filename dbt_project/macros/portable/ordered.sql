{#- The value of the row that comes last (first) in the order of `keys`, a list of columns, among those that meet `condition`. -#}
{% macro last_value_by(value, keys, condition='true') -%}
    {{ return(adapter.dispatch('last_value_by')(value, keys, condition)) }}
{%- endmacro %}
{% macro duckdb__last_value_by(value, keys, condition) -%}
    max_by({{ value }}, ({{ keys | join(', ') }})) filter (where {{ condition }})
{%- endmacro %}
{% macro spark__last_value_by(value, keys, condition) -%}
    max_by({{ value }}, struct({{ keys | join(', ') }})) filter (where {{ condition }})
{%- endmacro %}


{% macro first_value_by(value, keys, condition='true') -%}
    {{ return(adapter.dispatch('first_value_by')(value, keys, condition)) }}
{%- endmacro %}
{% macro duckdb__first_value_by(value, keys, condition) -%}
    min_by({{ value }}, ({{ keys | join(', ') }})) filter (where {{ condition }})
{%- endmacro %}
{% macro spark__first_value_by(value, keys, condition) -%}
    min_by({{ value }}, struct({{ keys | join(', ') }})) filter (where {{ condition }})
{%- endmacro %}
