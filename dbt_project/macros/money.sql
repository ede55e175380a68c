{#- An amount in the base currency, DECIMAL(18,4); null when its currency has no rate. `rates` is joined by on_rate. -#}
{% macro in_base_currency(amount, currency, rates='rates') -%}
    case
        when {{ currency }} is null or {{ currency }} = {{ base_currency() }} then {{ amount }}
        else cast({{ amount }} * {{ rates }}.rate as decimal(18, 4))
    end
{%- endmacro %}


{#- Joins the rate of that day, else the latest earlier one. -#}
{% macro on_rate(currency, day, rates='rates') -%}
    {{ currency }} = {{ rates }}.currency
    and {{ day }} >= {{ rates }}.valid_from_date
    and {{ day }} < {{ rates }}.valid_until_date
{%- endmacro %}
