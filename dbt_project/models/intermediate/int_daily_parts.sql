{{ config(incremental_strategy='days', meta={'by_as_of': true, 'accumulates': true}) }}

{%- set loads = loads() -%}
{%- set users = fact_users() -%}
{%- set columns = breakdowns().values() | reject('none') | list -%}
{%- set seen = users.keys() | list -%}
{%- if not loads.rebuild -%}
    {%- for name in users -%}{%- do seen.append(name ~ '_before') -%}{%- endfor -%}
{%- endif -%}
{%- set of_users = "kind not in ('ordered', 'held_out_clicked')" -%}
{%- set shown = held_at(loads.until) ~ ' and event_date <= ' ~ as_of_date() -%}

with
{% if loads.rebuild %}
    {#- Read anew for each breakdown: a common table expression would hold a copy of all facts in memory. -#}
    {%- set changed -%}({{ performance_facts(shown, '1 as added') }}) as facts{%- endset -%}
    {%- set counted -%}({{ performance_facts(shown, '1 as added, 1 as present') }}) as facts{%- endset -%}
{% else %}
    {%- set changed = 'changed' -%}
    {%- set counted = 'counted' -%}
    changed as (
        {{ changed_facts(loads) }}
    ),

    touched as (
        select distinct user_id as id from changed
    ),

    counted as (
        select
            changed.*,
            0 as present
        from changed
        where {{ of_users }}
        union all
        select current_facts.*
        from (
            {{ performance_facts(shown ~ ' and user_id in (select id from touched)', '0 as added, 1 as present') }}
        ) as current_facts
        where {{ of_users }}
    ),
{% endif %}

{#- By breakdown, because keys as they are take half the time of keys as text. -#}
{% for breakdown, column in breakdowns().items() %}
    -- Of each user of a group and day: what there is now and what there was when this model was last built.
    {{ breakdown }}_days as (
        select
            {% if column is not none %}
                {{ column }},
            {% endif %}
            user_id,
            {% for name, condition in users.items() %}
                max(case when {{ condition }} then present else 0 end) as {{ name }},
                {% if not loads.rebuild %}
                    case when sum(case when {{ condition }} then present - added else 0 end) > 0 then 1 else 0 end
                        as {{ name }}_before,
                {% endif %}
            {% endfor %}
            event_date
        from {{ counted }}
        where
            {{ of_users }}
            {% if column is not none and not loads.rebuild %}
                and ({{ breakdown_key(column) }}, user_id) in (
                    select
                        {{ breakdown_key('changed.' ~ column) }},
                        changed.user_id
                    from changed
                )
            {% endif %}
        group by {{ column ~ ', ' if column is not none }}user_id, event_date
    ),

    {{ breakdown }}_last_days as (
        select
            {% if column is not none %}
                {{ column }},
            {% endif %}
            {% for name in seen %}
                max(case when {{ name }} = 1 then event_date end) as {{ name }},
            {% endfor %}
            user_id
        from {{ breakdown }}_days
        group by {{ column ~ ', ' if column is not none }}user_id
    ),
{% endfor %}

-- The distinct users of any window that ends with the day of as_of are those whose last day lies in it.
last_days as (
    {% for breakdown, column in breakdowns().items() %}
        select
            '{{ breakdown }}' as breakdown,
            {{ breakdown_key(column) }} as breakdown_key,
            {{ seen | join(',\n            ') }},
            count(*) as users
        from {{ breakdown }}_last_days
        group by {{ column ~ ', ' if column is not none }}{{ seen | join(', ') }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

user_parts as (
    {% for breakdown, column in breakdowns().items() %}
        select
            '{{ breakdown }}' as breakdown,
            {{ breakdown_key(column) }} as breakdown_key,
            {% for name in users %}
                sum({{ name }}{{ ' - ' ~ name ~ '_before' if not loads.rebuild }}) as {{ name }},
                0 as last_{{ name }},
            {% endfor %}
            event_date
        from {{ breakdown }}_days
        group by {{ column ~ ', ' if column is not none }}event_date
        union all
    {% endfor %}
    {% for last_seen in seen %}
        select
            breakdown,
            breakdown_key,
            {% for name in users %}
                0 as {{ name }},
                {{ {name: 'sum(users)', name ~ '_before': '-sum(users)'}.get(last_seen, '0') }} as last_{{ name }},
            {% endfor %}
            {{ last_seen }} as event_date
        from last_days
        where {{ last_seen }} is not null
        group by breakdown, breakdown_key, {{ last_seen }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

user_changes as (
    select
        breakdown,
        breakdown_key,
        {% for name in users %}
            sum({{ name }}) as {{ name }},
            sum(last_{{ name }}) as last_{{ name }},
        {% endfor %}
        event_date
    from user_parts
    group by breakdown, breakdown_key, event_date
),

-- All groups of a fact at once: what counts facts is summed from here instead of reading them once a breakdown.
cells as (
    select
        kind,
        {{ columns | join(',\n        ') }},
        {% for name, condition in fact_counts().items() %}
            sum(case when {{ condition }} then added else 0 end) as {{ name }},
        {% endfor %}
        {% for name, condition in fact_amounts().items() %}
            coalesce(sum(case when {{ condition }} then added * amount end), 0) as {{ name }},
        {% endfor %}
        event_date
    from {{ changed }}
    group by kind, {{ columns | join(', ') }}, event_date
),

changes as (
    select
        breakdown,
        breakdown_key,
        event_date,
        {% for name in fact_counts() %}
            0 as {{ name }},
        {% endfor %}
        {% for name in fact_amounts() %}
            cast(0 as decimal(18, 4)) as {{ name }},
        {% endfor %}
        {% for name in users %}
            {{ name }},
            last_{{ name }},
        {% endfor %}
        cast(null as bigint) as load_id
    from user_changes
    where
        false
        {% for name in users %}
            or {{ name }} <> 0
            or last_{{ name }} <> 0
        {% endfor %}
    {% for breakdown, column in breakdowns().items() %}
        union all
        select
            '{{ breakdown }}' as breakdown,
            {{ breakdown_key(column) }} as breakdown_key,
            event_date,
            {% for name in fact_counts().keys() | list + fact_amounts().keys() | list %}
                sum({{ name }}) as {{ name }},
            {% endfor %}
            {% for name in users %}
                0 as {{ name }},
                0 as last_{{ name }},
            {% endfor %}
            cast({{ loads.until }} as bigint) as load_id
        from cells
        where {{ counts_in(breakdown) }}
        group by {{ column ~ ', ' if column is not none }}event_date
    {% endfor %}
),

-- Of a day that changes all rows are written anew, lest it come to lie in as many files as it had changes.
parts as (
    select * from changes
    {% if not loads.rebuild %}
        union all
        select
            breakdown,
            breakdown_key,
            event_date,
            {% for name in part_types() %}
                {{ name }},
            {% endfor %}
            load_id
        from {{ this }}
        where event_date in (select changes.event_date from changes)
    {% endif %}
)

-- The load_id tells since when the day's own numbers hold; whose last day it is changes none of them.
select
    breakdown,
    breakdown_key,
    event_date,
    {% for name, type in part_types().items() %}
        cast(sum({{ name }}) as {{ type }}) as {{ name }},
    {% endfor %}
    max(load_id) as load_id
from parts
group by breakdown, breakdown_key, event_date
