{#-
    The metrics of customers: how many days their window has (it ends with the day of as_of), what is divided by what in
    columns of int_customer_economics, and `gap`, why that can't be.
-#}
{% macro customer_metrics() %}
    {{ return({
        'ltv': {
            'days': 365,
            'numerator': 'trailing_revenue',
            'denominator': 'customers',
            'gap': "case when trailing_missing_rate > 0 then 'missing_rate' end",
        },
        'cac_payback_months': {
            'days': 365,
            'numerator': safe_divide('acquisition_cost', 'paid_customers'),
            'denominator': safe_divide('paid_revenue', months('paid_days')),
            'gap': "case when acquired_customers = 0 then 'no_acquiring_campaign'"
                ~ " when paid_customers = 0 then 'no_spend_reported'"
                ~ " when paid_missing_rate > 0 then 'missing_rate' end",
        },
        'repeat_purchase_rate': {
            'days': 90,
            'numerator': 'repeat_buyers',
            'denominator': 'buyers',
            'scale': 100,
            'is_share': true,
            'gap': 'cast(null as varchar)',
        },
        'gross_margin_percent': {
            'days': 90,
            'numerator': 'revenue - cost_of_goods - acquisition_spend',
            'denominator': 'revenue',
            'scale': 100,
            'gap': "case when breakdown not in ('overall', 'segment') then 'input_not_available_for_breakdown'"
                ~ " when orders_missing_cost > 0 then 'missing_cost'"
                ~ " when orders_missing_rate + new_customers_missing_rate > 0 then 'missing_rate'"
                ~ " when new_customers > 0 and new_paid_customers = 0 then 'no_spend_reported' end",
        },
    }) }}
{% endmacro %}


{#- Half the width of the 95 % interval of a share, in percent; null when nobody counts. -#}
{% macro share_half_width(numerator, denominator) -%}
    case
        when {{ numerator }} > 0
            then
                {%- set share = safe_divide(numerator, denominator) %}
                196 * sqrt({{ share }} * (1 - {{ share }}) / {{ denominator }})
    end
{%- endmacro %}


{#- Months of so many days; twelve of them are 365 days. -#}
{% macro months(days) -%}(12 * {{ days }} / 365.0){%- endmacro %}


{#- The first day of a window of so many days that ends with `last`. -#}
{% macro window_start(days, last=as_of_date()) -%}{{ plus_days(last, 1 - days) }}{%- endmacro %}


{#- The month since the first order, 1 for the first, in which a customer is so many days after it. -#}
{% macro month_number(days) -%}cast(floor({{ months(days) }}) as bigint) + 1{%- endmacro %}
