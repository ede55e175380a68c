{{ config(incremental_strategy='whole') }}

{%- set day_seconds = 86400 %}

select
    {{ base_currency() }} as base_currency,
    cast({{ lookback_seconds() }} / {{ day_seconds }} as bigint) as attribution_lookback_days,
    {{ as_of() }} as as_of
