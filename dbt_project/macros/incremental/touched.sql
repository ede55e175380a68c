{#- Rows of an append-only relation that the loads brought; literals, so that only the files of those loads are read. -#}
{% macro is_new(loads, alias='') -%}
    {%- set prefix = alias ~ '.' if alias else '' -%}
    {{ prefix }}load_id > {{ loads.since }} and {{ prefix }}load_id <= {{ loads.until }}
{%- endmacro %}


{#-
    Whether `column` is one of these days: a mapping with `days`, a list of dates as text, and `since`, the first of an
    open span (either may be empty); none means any day. Literals again, so that only the files of those days are read.
-#}
{% macro in_days(column, days) -%}
    {%- if days is none -%}
        true
    {%- else -%}
        (
        {%- if days.since %}{{ column }} >= date '{{ days.since }}'{{ ' or ' if days.days }}{% endif -%}
        {%- if days.days -%}
            {{ column }} in ({% for day in days.days %}date '{{ day }}'{{ ', ' if not loop.last }}{% endfor %})
        {%- elif not days.since -%}
            false
        {%- endif -%}
        )
    {%- endif -%}
{%- endmacro %}


{#- The days that a query returns, as in_days takes them. -#}
{% macro queried_days(query) %}
    {{ return({'days': run_query(query).columns[0].values() | list, 'since': none}) }}
{% endmacro %}


{#- Days that a load asks to compute again, with all that is on them; none of them when everything is built anew. -#}
{% macro requested_days(loads) %}
    {%- if not asks_the_lake() or loads.rebuild -%}{{ return({'days': [], 'since': none}) }}{%- endif -%}
    {%- set query -%}
        select distinct cast(event_date as varchar) as day
        from {{ source('ops', 'touched_days') }}
        where {{ is_new(loads) }} and cause = 'recompute'
        order by day
    {%- endset -%}
    {{ return(queried_days(query)) }}
{% endmacro %}


{#- Rows of an append-only relation that the loads brought, or that stand on days to be computed again. -#}
{% macro comes_in(loads, alias='') -%}
    {%- set requested = requested_days(loads) -%}
    {%- set prefix = alias ~ '.' if alias else '' -%}
    {%- if requested.days -%}
        {{ prefix }}load_id <= {{ loads.until }}
        and ({{ prefix }}load_id > {{ loads.since }} or {{ in_days(prefix ~ 'event_date', requested) }})
    {%- else -%}
        {{ is_new(loads, alias) }}
    {%- endif -%}
{%- endmacro %}


{#- Days on which the loads changed or deleted rows of known users; none of them when everything is built anew. -#}
{% macro rewritten_days(loads) %}
    {%- if not asks_the_lake() or loads.rebuild -%}{{ return({'days': [], 'since': none}) }}{%- endif -%}
    {%- set query -%}
        select distinct cast(event_date as varchar) as day
        from {{ source('ops', 'touched_days') }}
        where {{ is_new(loads) }} and user_id is not null
        order by day
    {%- endset -%}
    {{ return(queried_days(query)) }}
{% endmacro %}


{#- Days on which the loads changed the rate of a currency; none of them when everything is built anew. -#}
{% macro revalued_days(loads) %}
    {%- if not asks_the_lake() or loads.rebuild -%}{{ return({'days': [], 'since': none}) }}{%- endif -%}
    {%- set query -%}
        select distinct cast(event_date as varchar) as day
        from {{ source('ops', 'touched_days') }}
        where {{ is_new(loads) }} and cause = 'fx_rates'
        order by day
    {%- endset -%}
    {{ return(queried_days(query)) }}
{% endmacro %}


{#- Days on which the loads added, changed or deleted events; all when everything is built anew. -#}
{% macro changed_event_days(loads) %}
    {%- if not asks_the_lake() -%}{{ return({'days': [], 'since': none}) }}{%- endif -%}
    {%- if loads.rebuild -%}{{ return(none) }}{%- endif -%}
    {%- set known = recall('event_days_of_' ~ model.name) -%}
    {%- if known -%}{{ return(fromjson(known)) }}{%- endif -%}
    {%- set query -%}
        select cast(event_date as varchar) as day
        from {{ source('raw', 'events') }}
        where {{ is_new(loads) }}
        union
        select cast(event_date as varchar) as day
        from {{ source('ops', 'touched_days') }}
        where {{ is_new(loads) }}
        order by day
    {%- endset -%}
    {%- set days = queried_days(query) -%}
    {%- do remember('event_days_of_' ~ model.name, tojson(days)) -%}
    {{ return(days) }}
{% endmacro %}


{#- The events of one staging model on these days, by id, that are older than the loads. -#}
{% macro older_events(model, days, loads) -%}
    select
        event_id,
        event_date,
        user_id
    from {{ ref(model) }}
    where {{ in_days('event_date', days) }} and load_id <= {{ loads.since }}
{%- endmacro %}
