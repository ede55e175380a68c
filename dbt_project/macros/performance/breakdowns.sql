{#- The breakdowns of the delivery metrics: name to the column that it groups by, none for the whole. -#}
{% macro breakdowns() %}
    {{ return({
        'overall': none,
        'campaign': 'campaign_id',
        'segment': 'segment',
        'creative': 'creative_id',
        'platform': 'platform',
        'campaign_type': 'campaign_type',
    }) }}
{% endmacro %}


{#- The key of a row's group as text. -#}
{% macro breakdown_key(column) -%}
    {{ "'all'" if column is none else "coalesce(cast(" ~ column ~ " as varchar), 'unknown')" }}
{%- endmacro %}


{#- Whether a fact counts in a breakdown: an order as such belongs to no campaign. -#}
{% macro counts_in(breakdown) -%}
    {{ 'true' if breakdown in ('overall', 'segment') else "kind <> 'ordered'" }}
{%- endmacro %}


{#- Counted facts: name to the condition on a fact. -#}
{% macro fact_counts() %}
    {{ return({
        'sent': "kind = 'sent'",
        'opens': "kind = 'opened'",
        'clicks': "kind = 'clicked'",
        'held_out_clicks': "kind = 'held_out_clicked'",
        'conversions': "kind = 'converted'",
        'conversions_missing_rate': "kind = 'converted' and amount is null",
        'orders': "kind = 'ordered'",
        'orders_missing_rate': "kind = 'ordered' and amount is null",
    }) }}
{% endmacro %}


{#- Sums of money: name to the condition on a fact. -#}
{% macro fact_amounts() %}
    {{ return({
        'conversion_revenue': "kind = 'converted'",
        'order_revenue': "kind = 'ordered'",
    }) }}
{% endmacro %}


{#- Distinct users: name to the condition on a fact. -#}
{% macro fact_users() %}
    {{ return({
        'users_reached': "kind = 'sent'",
        'users_messaged': "kind = 'sent' and by_message",
        'users_opened_message': "kind = 'opened' and by_message",
        'users_clicked_message': "kind = 'clicked' and by_message",
        'users_clicked': "kind = 'clicked'",
        'users_converted': "kind = 'converted'",
        'new_customers': "kind = 'new_customer'",
    }) }}
{% endmacro %}


{#- What the platforms report of a group and day, name to type. -#}
{% macro report_types() %}
    {{ return({
        'reported_impressions': 'bigint',
        'reported_clicks': 'bigint',
        'spend': 'decimal(18, 4)',
        'spend_reports': 'bigint',
        'spend_missing_rate': 'bigint',
    }) }}
{% endmacro %}


{#- All parts of the metrics of a group and day, by name. -#}
{% macro performance_parts() %}
    {{ return(part_types().keys() | list + report_types().keys() | list) }}
{% endmacro %}


{#- All additive parts of a group and day, name to type: counts, amounts, users of the day, users whose last day it is. -#}
{% macro part_types() %}
    {%- set types = {} -%}
    {%- for name in fact_counts() -%}{%- do types.update({name: 'bigint'}) -%}{%- endfor -%}
    {%- for name in fact_amounts() -%}{%- do types.update({name: 'decimal(18, 4)'}) -%}{%- endfor -%}
    {%- for name in fact_users() -%}{%- do types.update({name: 'bigint', 'last_' ~ name: 'bigint'}) -%}{%- endfor -%}
    {{ return(types) }}
{% endmacro %}


{#- Breakdowns that the platforms' reports do not carry. -#}
{% macro breakdowns_without_spend() %}
    {{ return(['segment', 'creative']) }}
{% endmacro %}
