{#-
    Days whose performance may differ from what a model last showed, as in_days takes them: those that facts touched and,
    because budgets are spent to date, all since the first whose spend or rates changed or that has come into view. None
    means all days: a campaign's attributes concern every day of its.
-#}
{% macro changed_performance_days(loads) %}
    {%- set parts = ref('int_daily_parts') -%}
    {%- if not asks_the_lake() -%}{{ return({'days': [], 'since': none}) }}{%- endif -%}
    {%- if loads.rebuild -%}{{ return(none) }}{%- endif -%}
    {%- set known = recall('performance_days_of_' ~ model.name) -%}
    {%- if known -%}{{ return(fromjson(known)) }}{%- endif -%}
    {%- set query -%}
        select
            cast(event_date as varchar) as day,
            'day' as kind
        from {{ parts }}
        where load_id > {{ loads.since }}
        group by event_date

        union all

        select
            cast(least(
                min(case when cause in ('ad_spend_daily', 'fx_rates') then event_date end),
                {{ plus_days("date '" ~ loads.shown_until ~ "'", 1) }}
            ) as varchar) as day,
            'since' as kind
        from {{ source('ops', 'touched_days') }}
        where load_id > {{ loads.since }}

        union all

        select
            null as day,
            'all' as kind
        from {{ source('ops', 'load_log') }}
        where load_id > {{ loads.since }} and target = 'campaigns' and accepted > 0

        order by day
    {%- endset -%}
    {%- set days, since, all = [], [], [] -%}
    {%- for row in run_query(query).rows -%}
        {%- do {'day': days, 'since': since, 'all': all}[row['kind']].append(row['day']) -%}
    {%- endfor -%}
    {%- if all -%}{{ return(none) }}{%- endif -%}
    {%- set changed = {'days': days, 'since': since[0]} -%}
    {%- do remember('performance_days_of_' ~ model.name, tojson(changed)) -%}
    {{ return(changed) }}
{% endmacro %}


{#-
    Days whose metric values may differ; a day's number of events also is what the same weekday is later measured by. The
    platform's own metrics are computed by other runs too, and tell by their as_of.
-#}
{% macro changed_metric_days(loads) %}
    {%- set volumes = ref('int_daily_volumes') -%}
    {%- set operations = ref('int_operations_metrics') -%}
    {%- set changed = changed_performance_days(loads) -%}
    {%- if not asks_the_lake() or changed is none -%}{{ return(changed) }}{%- endif -%}
    {%- set query -%}
        select distinct cast({{ plus_days('event_date', 'weeks * 7') }} as varchar) as day
        from {{ volumes }}
        cross join (values (0), (1), (2), (3), (4)) as later (weeks)
        where load_id > {{ loads.since }}

        union

        select cast(period_start as varchar) as day
        from {{ operations }}
        where
            period_kind = 'daily'
            and as_of >= (
                select least(max(as_of), {{ as_of() }})
                from {{ source('ops', 'build_log') }}
                where model = '{{ model.name }}'
            )

        order by day
    {%- endset -%}
    {{ return({'days': (changed.days + queried_days(query).days) | unique | sort, 'since': changed.since}) }}
{% endmacro %}
