{#- The metrics of the platform itself, of whose inputs the numbers of events say nothing. -#}
{% macro operations_metrics() %}{{ return(['uptime_percent', 'cost_per_query']) }}{% endmacro %}


{#- The hours before as_of in which probes count, and the milliseconds within which an answer does. -#}
{% macro uptime_hours() -%}24{%- endmacro %}
{% macro answer_milliseconds() -%}1000{%- endmacro %}


{#- A clock may be so many seconds ahead of the run that takes its statement in. -#}
{% macro clock_tolerance_seconds() -%}300{%- endmacro %}


{#-
    The instant that a statement of the operations counts for: when it began, but never after it was taken in, which a
    clock that runs ahead, or none at all, would say.
-#}
{% macro counted_at() -%}coalesce(least(started_at, valid_from), valid_from){%- endmacro %}


{#- Whether the clock of a statement can't be right. -#}
{% macro is_clock_skewed() -%}
    coalesce(started_at > {{ plus_seconds('valid_from', clock_tolerance_seconds()) }}, true)
{%- endmacro %}


{#- What is counted of the probes that meet the condition; no row of them counts 0. -#}
{% macro probe_counts(condition) -%}
    count(case when {{ condition }} then 1 end) as probes,
    count(case when {{ condition }} and is_ok then 1 end) as ok_probes,
    count(case when {{ condition }} and is_slow then 1 end) as slow_probes,
    count(case when {{ condition }} and is_skewed then 1 end) as skewed_probes,
    percentile_cont(0.5) within group (order by case when {{ condition }} then response_ms end) as p50_response_ms,
    percentile_cont(0.95) within group (order by case when {{ condition }} then response_ms end) as p95_response_ms,
    max(case when {{ condition }} then response_ms end) as max_response_ms
{%- endmacro %}


{#- What adds up of the queries that meet the condition; decimals, whose sums don't depend on their order. -#}
{% macro query_sums(condition) -%}
    count(case when {{ condition }} then 1 end) as queries,
    count(case when {{ condition }} and cost is null and seconds is null then 1 end) as queries_missing_cost,
    coalesce(sum(case when {{ condition }} then cast(seconds as decimal(18, 6)) end), 0) as query_seconds,
    coalesce(sum(case when {{ condition }} and cost is null then cast(seconds as decimal(18, 6)) end), 0)
        as priced_seconds,
    coalesce(sum(case when {{ condition }} then cost end), 0) as stated_cost
{%- endmacro %}


{#-
    Days of `relation` (rows of operations) that the loads added or corrected, and the last ones shown, before and now. Beside
    them `first`, the first day that is read: of these, or of a window that begins so many days before as_of.
-#}
{% macro days_of_operations(relation, loads, days_back) %}
    {%- if not asks_the_lake() -%}{{ return({'days': [], 'since': none, 'first': '1970-01-01'}) }}{%- endif -%}
    {%- if loads.rebuild -%}{{ return(none) }}{%- endif -%}
    {%- set known = recall('operation_days_of_' ~ model.name) -%}
    {%- if known -%}{{ return(fromjson(known)) }}{%- endif -%}
    {%- set query -%}
        with changed as (
            select cast({{ counted_at() }} as date) as day
            from {{ relation }}
            where load_id > {{ loads.since }} or closed_by_load_id > {{ loads.since }}
            union
            select {{ as_of_date() }} as day
            union
            select date '{{ loads.shown_until }}' as day
        )

        select
            cast(day as varchar) as day,
            cast(least((select min(day) from changed), {{ plus_days(as_of_date(), -days_back) }}) as varchar) as first_day
        from changed
        order by day
    {%- endset -%}
    {%- set rows = run_query(query) -%}
    {%- set days = {'days': rows.columns[0].values() | list, 'since': none, 'first': rows.columns[1].values()[0]} -%}
    {%- do remember('operation_days_of_' ~ model.name, tojson(days)) -%}
    {{ return(days) }}
{% endmacro %}


{% macro changed_probe_days(loads) %}{{ return(days_of_operations(ref('stg_service_probes'), loads, 1)) }}{% endmacro %}


{% macro changed_query_days(loads) %}{{ return(days_of_operations(ref('stg_query_costs'), loads, 29)) }}{% endmacro %}


{#- Whether a statement can count on those days: none counts for a time after it was taken in. A literal, as in in_days. -#}
{% macro can_count_in(days) -%}
    {{ 'true' if days is none else "valid_from >= date '" ~ days.first ~ "'" }}
{%- endmacro %}


{#- How a value stands against the healthy range of its metric, whose row of metric_dictionary is joined as `dictionary`. -#}
{% macro metric_status(value, dictionary='dictionary') -%}
    case
        when {{ value }} is null then null
        when {{ value }} < {{ dictionary }}.healthy_min then 'below'
        when {{ value }} > {{ dictionary }}.healthy_max then 'above'
        else 'in_range'
    end
{%- endmacro %}
