{#-
    Which loads this run of an incremental model takes in: those after `since`, up to and including `until`.

    `since` is the last load that the model has taken in (ops.build_log), -1 when there is none. `until` is the last
    load of the lake, or of the incremental model that lags behind most among those that this one reads: it can't take
    in what they have not. `rebuild` says that increments would not do: there is no state to add to, or a model that
    this one reads was built anew, or a load asks to compute days again, which a model of running counts (`accumulates`)
    can't do by itself. Models that show days only up to that of as_of (`by_as_of`) are also built anew when
    the run goes back to an earlier day than their last one, `shown_until`.
-#}
{% macro loads() %}
    {%- do source('ops', 'touched_days') -%} {#- named before any condition, for the lineage -#}
    {%- if not asks_the_lake() -%}
        {#- Parsing: the branch of increments names every model that either branch reads. -#}
        {{ return({'since': -1, 'until': -1, 'rebuild': false, 'shown_until': '1970-01-01'}) }}
    {%- endif -%}
    {%- set known = recall('loads_of_' ~ model.name) -%}
    {%- if known -%}{{ return(fromjson(known)) }}{%- endif -%}
    {%- set loads = queried_loads() -%}
    {%- do remember('loads_of_' ~ model.name, tojson(loads)) -%}
    {{ return(loads) }}
{% endmacro %}


{% macro queried_loads() %}
    {%- set parents = ["''"] -%}
    {%- for node in model.depends_on.nodes if graph.nodes.get(node, {}).get('config', {}).materialized == 'incremental' -%}
        {%- do parents.append("'" ~ node.split('.')[-1] ~ "'") -%}
    {%- endfor -%}
    {%- set query -%}
        with latest as (
            select
                model,
                max(load_id) as load_id,
                max(case when full_refresh then load_id end) as rebuilt_at,
                coalesce(max(case when not full_refresh then as_of end), max(as_of)) as as_of
            from {{ source('ops', 'build_log') }}
            group by model
        ),

        parents as (
            select
                min(load_id) as load_id,
                max(rebuilt_at) as rebuilt_at
            from latest
            where model in ({{ parents | join(', ') }})
        )

        select
            coalesce(own.load_id, -1) as since,
            coalesce(parents.load_id, {{ last_load_id() }}) as until,
            own.load_id is null or coalesce(parents.rebuilt_at > own.load_id, false) as is_stale,
            coalesce(cast(own.as_of as date) > {{ as_of_date() }}, false) as goes_back,
            cast(cast(own.as_of as date) as varchar) as shown_until,
            {% if model.config.meta.get('accumulates') %}
                exists (
                    select 1
                    from {{ source('ops', 'touched_days') }} as requested
                    where requested.cause = 'recompute' and requested.load_id > own.load_id
                )
            {% else %}
                false
            {% endif %}
                as is_requested
        from parents
        left join latest as own on own.model = '{{ model.name }}'
    {%- endset -%}
    {%- set row = run_query(query).rows[0] -%}
    {%- set goes_back = row['goes_back'] and model.config.meta.get('by_as_of') -%}
    {%- set rebuild = not is_incremental() or row['is_stale'] or goes_back or row['is_requested'] -%}
    {{ return({
        'since': -1 if rebuild else (row['since'] | int),
        'until': row['until'] | int,
        'rebuild': rebuild,
        'shown_until': row['shown_until'] or '1970-01-01',
    }) }}
{% endmacro %}


{#- Post-hook of every incremental model: notes, in the model's own transaction, which load it has come to. -#}
{% macro log_build() %}
    {%- if model.config.materialized == 'incremental' -%}
        {%- set loads = loads() -%}
        delete from {{ source('ops', 'build_log') }}
        where model = '{{ model.name }}'{{ '' if loads.rebuild else ' and not full_refresh' }};

        insert into {{ source('ops', 'build_log') }} (model, load_id, as_of, full_refresh, project)
        values (
            '{{ model.name }}',
            {{ loads.until }},
            {{ as_of() }},
            {{ loads.rebuild | lower }},
            {{ run_input('project') }}
        )
    {%- endif -%}
{% endmacro %}


{#- The last load that every incremental model reading this one has taken in. -#}
{% macro oldest_reader() %}
    {%- set readers = ["''"] -%}
    {%- for node in graph.nodes.values() if model.unique_id in node.depends_on.nodes -%}
        {%- do readers.append("'" ~ node.name ~ "'") -%}
    {%- endfor -%}
    {%- set query -%}
        select coalesce(min(load_id), -1)
        from (
            select max(load_id) as load_id
            from {{ source('ops', 'build_log') }}
            where model in ({{ readers | join(', ') }})
            group by model
        )
    {%- endset -%}
    {{ return(run_query(query).rows[0][0] | int) }}
{% endmacro %}
