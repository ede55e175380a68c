{#- Hours from one instant to another, with their fraction. -#}
{% macro hours_between(earlier, later) -%}{{ return(adapter.dispatch('hours_between')(earlier, later)) }}{%- endmacro %}
{% macro duckdb__hours_between(earlier, later) -%}
    (epoch_us({{ later }}) - epoch_us({{ earlier }})) / 3600000000.0
{%- endmacro %}
{% macro spark__hours_between(earlier, later) -%}
    (unix_micros({{ later }}) - unix_micros({{ earlier }})) / 3600000000.0
{%- endmacro %}


{#- The instant so many seconds later. -#}
{% macro plus_seconds(instant, seconds) -%}{{ return(adapter.dispatch('plus_seconds')(instant, seconds)) }}{%- endmacro %}
{% macro duckdb__plus_seconds(instant, seconds) -%}({{ instant }} + to_seconds({{ seconds }})){%- endmacro %}
{% macro spark__plus_seconds(instant, seconds) -%}timestampadd(second, {{ seconds }}, {{ instant }}){%- endmacro %}


{#- Seconds from one instant to another, with their fraction. -#}
{% macro seconds_between(earlier, later) -%}{{ return(adapter.dispatch('seconds_between')(earlier, later)) }}{%- endmacro %}
{% macro duckdb__seconds_between(earlier, later) -%}
    (epoch_us({{ later }}) - epoch_us({{ earlier }})) / 1000000.0
{%- endmacro %}
{% macro spark__seconds_between(earlier, later) -%}
    (unix_micros({{ later }}) - unix_micros({{ earlier }})) / 1000000.0
{%- endmacro %}
