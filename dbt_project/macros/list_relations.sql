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
