{#-
    The metrics of customers: how many days their window has (it ends with the day that the value is of), what is divided by
    what in columns of int_customer_economics, and `gap`, why that can't be.
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


{#-
    CTEs that end with `name`: what the changes of `relation` add up to by the end of each day, from the first one of those
    `keys` (never null) to the day of as_of. Numbered, because sorting by the keys themselves takes several times as long.
-#}
{% macro running_sums(relation, keys, parts, name) -%}
    {{ name }}_keys as (
        select
            *,
            row_number() over (order by {{ keys | join(', ') }}) as number
        from (
            select
                {{ keys | join(', ') }},
                min(event_date) as first_date
            from {{ relation }}
            where event_date <= {{ as_of_date() }}
            group by {{ keys | join(', ') }}
        ) as distinct_keys
    ),

    {{ name }}_changes as (
        select
            numbered.number,
            changes.event_date,
            {% for part in parts %}
                sum(changes.{{ part }}) as {{ part }}{{ ',' if not loop.last }}
            {% endfor %}
        from {{ relation }} as changes
        inner join {{ name }}_keys as numbered
            on
                {%- for key in keys %}
                    changes.{{ key }} = numbered.{{ key }}{{ ' and' if not loop.last }}
                {%- endfor %}
        where changes.event_date <= {{ as_of_date() }}
        group by numbered.number, changes.event_date
    ),

    {{ name }}_days as (
        select
            numbered.number,
            cast(series.day as date) as event_date
        from {{ name }}_keys as numbered
        cross join {{ day_series('numbered.first_date', as_of_date()) }}
    ),

    {{ name }}_sums as (
        select
            days.number,
            days.event_date,
            {% for part, type in parts.items() %}
                cast(sum(changes.{{ part }}) over until_day as {{ type }}) as {{ part }}{{ ',' if not loop.last }}
            {% endfor %}
        from {{ name }}_days as days
        left join {{ name }}_changes as changes
            on days.number = changes.number and days.event_date = changes.event_date
        window until_day as (partition by days.number order by days.event_date)
    ),

    {{ name }} as (
        select
            {{ select_list(keys, 'numbered') }},
            {{ select_list(['event_date'] + (parts.keys() | list), 'sums') }}
        from {{ name }}_sums as sums
        inner join {{ name }}_keys as numbered on sums.number = numbered.number
    )
{%- endmacro %}


{#- The day as a number, to reckon with. -#}
{% macro day_number(day) -%}{{ days_between("date '1970-01-01'", day) }}{%- endmacro %}
