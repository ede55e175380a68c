{#-
    The delivery metrics: what is divided by what, in columns of performance_inputs. `needs` names an input that may be
    absent; a metric without a denominator is its numerator.
-#}
{% macro delivery_metrics() %}
    {%- set of_all_orders = "breakdown in ('overall', 'segment')" -%}
    {{ return({
        'roas': {'numerator': 'revenue', 'denominator': 'spend', 'needs': 'spend'},
        'ctr': {'numerator': 'clicks', 'denominator': 'impressions', 'scale': 100, 'is_share': true},
        'conversion_rate': {'numerator': 'users_converted', 'denominator': 'users_clicked', 'scale': 100, 'is_share': true},
        'cac': {'numerator': 'spend', 'denominator': 'new_customers', 'needs': 'spend'},
        'cpc': {'numerator': 'spend', 'denominator': 'clicks', 'needs': 'spend'},
        'impressions': {'numerator': 'impressions'},
        'budget_utilization': {'numerator': 'budget_spend', 'denominator': 'budget', 'scale': 100, 'needs': 'budget'},
        'aov': {
            'numerator': 'case when ' ~ of_all_orders ~ ' then order_revenue else revenue end',
            'denominator': 'case when ' ~ of_all_orders ~ ' then orders else conversions end',
        },
        'open_rate': {'numerator': 'users_opened_message', 'denominator': 'users_messaged', 'scale': 100, 'is_share': true},
        'click_rate': {'numerator': 'users_clicked_message', 'denominator': 'users_opened_message', 'scale': 100, 'is_share': true},
        'avg_frequency': {'numerator': 'sent', 'denominator': 'users_reached'},
        'hours_to_first_conversion': {'numerator': 'median_hours', 'needs': 'conversions'},
    }) }}
{% endmacro %}


{#- The metrics that are shares of counted users or impressions. -#}
{% macro delivery_shares() %}
    {%- set shares = [] -%}
    {%- for name, metric in delivery_metrics().items() if metric.is_share -%}{%- do shares.append(name) -%}{%- endfor -%}
    {{ return(shares) }}
{% endmacro %}


{#- Columns that people read beside the metrics, with their types. -#}
{% macro performance_inputs() %}
    {{ return({
        'impressions': 'bigint',
        'sent': 'bigint',
        'reported_impressions': 'bigint',
        'opens': 'bigint',
        'clicks': 'bigint',
        'reported_clicks': 'bigint',
        'conversions': 'bigint',
        'revenue': 'decimal(18, 4)',
        'orders': 'bigint',
        'order_revenue': 'decimal(18, 4)',
        'spend': 'decimal(18, 4)',
        'budget': 'decimal(18, 4)',
        'budget_spend': 'decimal(18, 4)',
        'users_reached': 'bigint',
        'users_messaged': 'bigint',
        'users_opened_message': 'bigint',
        'users_clicked_message': 'bigint',
        'users_clicked': 'bigint',
        'users_converted': 'bigint',
        'new_customers': 'bigint',
    }) }}
{% endmacro %}


{#-
    From `parts` (the additive parts of a group and period, its budget and median hours) to inputs and metrics. For each
    metric: its value, <metric>_numerator, <metric>_denominator and, where the value is null, <metric>_null_reason.
    `period` lists the columns that say which period it is.
-#}
{% macro performance_metrics(period) -%}
    {%- set gaps = {
        'spend': "case when " ~ not_in_breakdown() ~ " then 'input_not_available_for_breakdown'"
            ~ " when spend_reports = 0 then 'no_spend_reported' end",
        'budget': "case when " ~ not_in_breakdown() ~ " then 'input_not_available_for_breakdown' else budget_gap end",
        'conversions': "case when median_hours is null then 'no_conversions' end",
    } -%}
    inputs as (
        select
            breakdown,
            breakdown_key,
            {{ period | join(', ') }},
            sent + reported_impressions as impressions,
            sent,
            reported_impressions,
            opens,
            clicks + reported_clicks as clicks,
            reported_clicks,
            conversions,
            case when conversions_missing_rate = 0 then conversion_revenue end as revenue,
            orders,
            case when orders_missing_rate = 0 then order_revenue end as order_revenue,
            case when spend_reports > 0 and spend_missing_rate = 0 then spend end as spend,
            budget,
            budget_spend,
            {% for name in fact_users() %}
                {{ name }},
            {% endfor %}
            median_hours,
            {% for name, gap in gaps.items() %}
                {{ gap }} as {{ name }}_gap{{ ',' if not loop.last }}
            {% endfor %}
        from parts
    ),

    divided as (
        select
            *,
            {% for name, metric in delivery_metrics().items() %}
                {%- set gap = metric.needs ~ '_gap' if metric.needs else none %}
                {%- for part in ['numerator', 'denominator'] %}
                    {%- set amount = 'cast(' ~ metric.get(part, 'null') ~ ' as double)' %}
                    {{ 'case when ' ~ gap ~ ' is null then ' ~ amount ~ ' end' if gap else amount }} as {{ name }}_{{ part }},
                {%- endfor %}
                {{ gap or 'cast(null as varchar)' }} as {{ name }}_gap{{ ',' if not loop.last }}
            {% endfor %}
        from inputs
    )

    select
        breakdown,
        breakdown_key,
        {{ period | join(', ') }},
        {% for name, type in performance_inputs().items() %}
            cast({{ name }} as {{ type }}) as {{ name }},
        {% endfor %}
        {% for name, metric in delivery_metrics().items() %}
            {% if metric.denominator %}
                {{ metric.get('scale', 1) }} * {{ safe_divide(name ~ '_numerator', name ~ '_denominator') }} as {{ name }}_value,
            {% else %}
                {{ name }}_numerator as {{ name }}_value,
            {% endif %}
            {{ name }}_numerator,
            {{ name }}_denominator,
            case
                when {{ name }}_gap is not null then {{ name }}_gap
                {% if metric.denominator %}
                    when {{ name }}_numerator is null or {{ name }}_denominator is null then 'missing_rate'
                    when {{ name }}_denominator = 0 then 'zero_denominator'
                {% endif %}
            end as {{ name }}_null_reason{{ ',' if not loop.last }}
        {% endfor %}
    from divided
{%- endmacro %}


{% macro not_in_breakdown() -%}
    breakdown in ({% for name in breakdowns_without_spend() %}'{{ name }}'{{ ', ' if not loop.last }}{% endfor %})
{%- endmacro %}


{#- The metrics of int_nightly_metrics that have daily values. -#}
{% macro nightly_metrics() %}
    {%- set measured = [
        'incrementality_percent', 'holdout_lift_pp', 'net_incremental_revenue', 'attributed_revenue', 'model_auc',
    ] -%}
    {{ return(measured + (customer_metrics().keys() | list)) }}
{% endmacro %}


{#- The kinds of models that pipelines/modeling trains. -#}
{% macro model_kinds() %}{{ return(['churn', 'uplift']) }}{% endmacro %}


{#- Whether this run builds the nightly models, or whatever reads them anew. -#}
{% macro is_nightly() -%}
    {{ return(loads().rebuild or 'model.' ~ project_name ~ '.attribution_revenue_daily' in selected_resources) }}
{%- endmacro %}
