{#- Inputs of the run, set on every connection by pipelines/transformation/session.py; so SQL never asks a clock. -#}
{% macro as_of() -%}{{ run_input('as_of') }}{%- endmacro %}
{% macro as_of_date() -%}cast({{ run_input('as_of') }} as date){%- endmacro %}
{% macro last_load_id() -%}{{ run_input('last_load_id') }}{%- endmacro %}
{% macro base_currency() -%}{{ run_input('base_currency') }}{%- endmacro %}
{% macro lookback_seconds() -%}{{ run_input('lookback_seconds') }}{%- endmacro %}
{% macro compute_price_per_hour() -%}{{ run_input('compute_price_per_hour') }}{%- endmacro %}
