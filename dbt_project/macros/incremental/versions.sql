{#-
    Versioned models keep every row until its end: `load_id` is the load since which a row holds, `closed_by_load_id`
    the one that ended it (null: it still holds), as in the reference inputs. So a model that reads them finds out what
    has changed since any load, without a copy of the earlier state.
-#}

{#- Whether a version held when that load was the last. -#}
{% macro held_at(load_id, alias='') -%}
    {%- set prefix = alias ~ '.' if alias else '' -%}
    {{ prefix }}load_id <= {{ load_id }}
    and ({{ prefix }}closed_by_load_id is null or {{ prefix }}closed_by_load_id > {{ load_id }})
{%- endmacro %}


{#- The rows that hold, inline: a common table expression that is read twice would be copied as a whole. -#}
{% macro open_versions(relation) -%}
    (select * from {{ relation }} where closed_by_load_id is null)
{%- endmacro %}


{#- Rows of a versioned relation that began or ended with the loads. Two branches, so that each skips the other's files. -#}
{% macro changed_versions(relation, columns, loads) -%}
    select {{ columns | join(', ') }}
    from {{ relation }}
    where {{ is_new(loads) }}

    union all

    select {{ columns | join(', ') }}
    from {{ relation }}
    where
        load_id <= {{ loads.since }}
        and closed_by_load_id > {{ loads.since }}
        and closed_by_load_id <= {{ loads.until }}
{%- endmacro %}


{#-
    Open rows of `relation`, keyed by event_id, whose event a load has deleted, moved or replaced by a newer one: on the
    days and of the users that it rewrote, those that `surviving`, a select of the events older than the loads, does not
    have. What it was about before is touched, even where the newer event is of the same user and day.
-#}
{% macro gone_rows(relation, surviving, loads, days, columns) -%}
    {%- if days.days -%}
        select
            open_rows.event_id,
            {% for column in columns %}open_rows.{{ column }}{{ ', ' if not loop.last }}{% endfor %}
        from {{ open_versions(relation) }} as open_rows
        inner join (
            select distinct
                event_date,
                user_id
            from {{ source('ops', 'touched_days') }}
            where {{ is_new(loads) }} and user_id is not null
        ) as rewritten
            on open_rows.event_date = rewritten.event_date and open_rows.user_id = rewritten.user_id
        left join ({{ surviving }}) as surviving
            on
                open_rows.event_id = surviving.event_id
                and open_rows.event_date = surviving.event_date
                and open_rows.user_id = surviving.user_id
        where {{ in_days('open_rows.event_date', days) }} and surviving.event_id is null
    {%- else -%}
        select
            event_id,
            {{ columns | join(', ') }}
        from {{ relation }}
        where false
    {%- endif -%}
{%- endmacro %}


{#- The facts of `existing` that are neither gone nor replaced, together with the new ones. -#}
{% macro new_and_kept(key, facts) -%}
    select {{ key }}, {{ facts | join(', ') }}
    from new_rows

    union all

    select existing.{{ key }}, {% for column in facts %}existing.{{ column }}{{ ', ' if not loop.last }}{% endfor %}
    from existing
    left join new_rows on existing.{{ key }} = new_rows.{{ key }}
    left join gone on existing.{{ key }} = gone.{{ key }}
    where new_rows.{{ key }} is null and gone.{{ key }} is null
{%- endmacro %}


{#-
    What a versioned model selects: with increments, what turns the open rows `existing` into `desired` (new versions,
    and existing ones ended; on days to be computed again all of them); when it is rebuilt, `desired` as first versions.
-#}
{% macro version_changes(key, columns, loads) -%}
    {%- set requested = requested_days(loads) %}
    select
        desired.{{ key }},
        {% for column in columns %}
            desired.{{ column }},
        {% endfor %}
        cast({{ loads.until }} as bigint) as load_id,
        cast(null as bigint) as closed_by_load_id
    from desired
    {% if not loads.rebuild %}
        left join existing on desired.{{ key }} = existing.{{ key }}
        where
            existing.{{ key }} is null
            or {{ differs('desired', 'existing', columns) }}
            or {{ in_days('desired.event_date', requested) }}

        union all

        select
            existing.{{ key }},
            {% for column in columns %}
                existing.{{ column }},
            {% endfor %}
            existing.load_id,
            cast({{ loads.until }} as bigint) as closed_by_load_id
        from existing
        left join desired on existing.{{ key }} = desired.{{ key }}
        where
            desired.{{ key }} is null
            or {{ differs('desired', 'existing', columns) }}
            or {{ in_days('desired.event_date', requested) }}
    {% endif %}
{%- endmacro %}


{% macro differs(left, right, columns) -%}
    (
        {%- for column in columns %}
            {{ left }}.{{ column }} is distinct from {{ right }}.{{ column }}{{ ' or' if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}
