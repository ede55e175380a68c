{#- Whether SQL is rendered to be run, so that macros may look into the lake; not so in parsing and linting. -#}
{% macro asks_the_lake() -%}
    {{ return(execute and target.name != 'lint') }}
{%- endmacro %}
