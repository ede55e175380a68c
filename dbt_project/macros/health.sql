{#- The metrics whose daily values are watched for anomalies, with the breakdowns in which single days say enough. -#}
{% macro watched_metrics() %}
    {{ return({
        'roas': ['overall'],
        'ctr': ['overall', 'campaign'],
        'conversion_rate': ['overall'],
        'cac': ['overall'],
        'cpc': ['overall', 'campaign'],
        'impressions': ['overall', 'campaign'],
        'aov': ['overall'],
        'open_rate': ['overall', 'campaign'],
        'click_rate': ['overall'],
        'avg_frequency': ['overall'],
        'hours_to_first_conversion': ['overall'],
    }) }}
{% endmacro %}


{#- The first day that is watched: thirty whole days, up to yesterday. -#}
{% macro watched_since() -%}{{ plus_days(as_of_date(), -30) }}{%- endmacro %}


{#- The first day that a watched one is measured by: a detector looks back 56 days, at weeks that look back as far. -#}
{% macro watched_history_since() -%}{{ plus_days(as_of_date(), -30 - 126) }}{%- endmacro %}


{#- By how much of the platform's number, in percent, ours may differ from it. -#}
{% macro reconciliation_tolerance_percent() -%}1{%- endmacro %}


{#-
    What is reconciled: measure to our number of a campaign and day, in columns of campaign_performance_daily, the platform's
    in those of fct_ad_spend_daily, and the column without which the platform states nothing.
-#}
{% macro reconciled_measures() %}
    {{ return({
        'impressions': {'ours': 'sent', 'reported': 'impressions', 'stated': 'impressions'},
        'clicks': {'ours': 'clicks - reported_clicks', 'reported': 'clicks', 'stated': 'clicks'},
        'conversions': {'ours': 'conversions', 'reported': 'claimed_conversions', 'stated': 'claimed_conversions'},
        'spend': {'ours': 'spend', 'reported': 'spend', 'stated': 'stated_spend'},
        'revenue': {'ours': 'revenue', 'reported': 'claimed_revenue', 'stated': 'stated_claimed_revenue'},
    }) }}
{% endmacro %}


{#- From where on a load or day of that quality is at a level: level to measure to the limit that it must not pass. -#}
{% macro quality_limits() %}
    {{ return({
        'critical': {'ingestion_percent': 95, 'validation_percent': 95},
        'warning': {'freshness_minutes': 15, 'completeness_percent': 90},
        'info': {'late_percent': 5, 'duplicate_percent': 1},
    }) }}
{% endmacro %}


{#- Whether a measure passes its limit of quality_limits: what is to be high lies below it, what is to be low above. -#}
{% macro passes_limit(measure, limit) -%}
    {{ measure }} {{ '<' if measure in ('ingestion_percent', 'validation_percent', 'completeness_percent') else '>' }} {{ limit }}
{%- endmacro %}


{#- Reasons for a rejection that say that a line is not built as its event type demands. -#}
{% macro schema_reasons() %}
    {{ return(['malformed_json', 'missing_id', 'unknown_event_type', 'schema_violation', 'line_too_long']) }}
{% endmacro %}


{#- A whole number rounded up to its first three digits. -#}
{% macro rounded_up_to_three_digits(number) -%}
    {%- set step -%}
        case
            when abs({{ number }}) < 1000 then 1
            {%- for digits in range(4, 16) %}
            when abs({{ number }}) < {{ 10 ** digits }} then {{ 10 ** (digits - 3) }}
            {%- endfor %}
            else {{ 10 ** 13 }}
        end
    {%- endset -%}
    cast(ceil({{ number }} / {{ step }}) * {{ step }} as bigint)
{%- endmacro %}
