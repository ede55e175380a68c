{#- The day so many days later; earlier when negative. -#}
{% macro plus_days(day, number) -%}{{ return(adapter.dispatch('plus_days')(day, number)) }}{%- endmacro %}
{% macro duckdb__plus_days(day, number) -%}({{ day }} + ({{ number }})){%- endmacro %}
{% macro spark__plus_days(day, number) -%}date_add({{ day }}, {{ number }}){%- endmacro %}


{#- How many days lie between two days; negative when the second is the earlier one. -#}
{% macro days_between(earlier, later) -%}{{ return(adapter.dispatch('days_between')(earlier, later)) }}{%- endmacro %}
{% macro duckdb__days_between(earlier, later) -%}({{ later }} - {{ earlier }}){%- endmacro %}
{% macro spark__days_between(earlier, later) -%}datediff({{ later }}, {{ earlier }}){%- endmacro %}


{#- The first day of the day's year. -#}
{% macro year_start(day) -%}{{ return(adapter.dispatch('year_start')(day)) }}{%- endmacro %}
{% macro duckdb__year_start(day) -%}cast(date_trunc('year', {{ day }}) as date){%- endmacro %}
{% macro spark__year_start(day) -%}trunc({{ day }}, 'year'){%- endmacro %}


{#- A relation with one row per day from one to the other, both included, in the column `day`. -#}
{% macro day_series(first, last) -%}{{ return(adapter.dispatch('day_series')(first, last)) }}{%- endmacro %}
{% macro duckdb__day_series(first, last) -%}
    unnest(generate_series({{ first }}, {{ last }}, interval 1 day)) as series (day)
{%- endmacro %}
{% macro spark__day_series(first, last) -%}
    lateral explode(sequence({{ first }}, {{ last }}, interval 1 day)) as series (day)
{%- endmacro %}


{#- 1 for Monday to 7 for Sunday. -#}
{% macro iso_weekday(day) -%}{{ return(adapter.dispatch('iso_weekday')(day)) }}{%- endmacro %}
{% macro duckdb__iso_weekday(day) -%}cast(isodow({{ day }}) as integer){%- endmacro %}
{% macro spark__iso_weekday(day) -%}(weekday({{ day }}) + 1){%- endmacro %}
