{#- Text kept for the rest of the connection under a name, so that one node need not ask the lake the same thing twice. -#}
{% macro remember(name, text) -%}{{ return(adapter.dispatch('remember')(name, text)) }}{%- endmacro %}
{% macro duckdb__remember(name, text) -%}
    {%- do run_query("set variable " ~ name ~ " = '" ~ text | replace("'", "''") ~ "'") -%}
{%- endmacro %}
{% macro spark__remember(name, text) -%}{%- endmacro %}


{#- What was remembered under that name; none when nothing was. -#}
{% macro recall(name) -%}{{ return(adapter.dispatch('recall')(name)) }}{%- endmacro %}
{% macro duckdb__recall(name) -%}{{ return(run_query("select getvariable('" ~ name ~ "')").rows[0][0]) }}{%- endmacro %}
{% macro spark__recall(name) -%}{{ return(none) }}{%- endmacro %}
