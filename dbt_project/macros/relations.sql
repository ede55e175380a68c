{#- What the adapter's own macro returns, from the functions behind information_schema, which reads every catalog. -#}
{% macro duckdb__list_relations_without_caching(schema_relation) %}
    {%- set query -%}
        {%- for function, type in {'duckdb_tables()': 'table', 'duckdb_views()': 'view'}.items() %}
            select
                '{{ schema_relation.database }}' as database,
                {{ type }}_name as name,
                schema_name as schema,
                '{{ type }}' as type
            from {{ function }}
            where database_name = '{{ schema_relation.database }}' and schema_name = '{{ schema_relation.schema }}'
            {{ 'union all' if not loop.last }}
        {%- endfor %}
    {%- endset -%}
    {{ return(run_query(query)) }}
{% endmacro %}


{#- Nothing: a lake has no indexes, and to ask for them reads its whole catalog. -#}
{% macro drop_indexes_on_relation(relation) -%}
{%- endmacro %}


{#- What the adapter's own macro does, for a view that may exist. -#}
{% macro duckdb__create_view_as(relation, sql) -%}
    {% if config.get('contract').enforced %}
        {{ get_assert_columns_equivalent(sql) }}
    {%- endif %}
    create or replace view {{ relation }} as (
        {{ sql }}
    )
{%- endmacro %}


{#-
    Replaces a view in place. dbt's own way creates one beside it, renames both and drops the earlier: five changes of the
    catalog instead of one, because not every warehouse can replace a view.
-#}
{% materialization view, adapter='duckdb' %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='view') -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% if existing is not none and not existing.is_view %}
        {% do adapter.drop_relation(existing) %}
    {% endif %}
    {% call statement('main') -%}
        {{ get_create_view_as_sql(target_relation, sql) }}
    {%- endcall %}
    {% do persist_docs(target_relation, model) %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do adapter.commit() %}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
