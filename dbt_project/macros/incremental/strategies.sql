{#-
    Incremental strategies, named in the models' config. `temp` holds what the model selected; every row of the target
    that it does not concern stays as it is. A rebuild replaces all rows.
-#}

{#- `versions`: inserts new versions, and exchanges open rows for their ended ones. Ended rows go when all have read them. -#}
{% macro get_incremental_versions_sql(arg_dict) %}
    {%- set target, temp, key = arg_dict.target_relation, arg_dict.temp_relation, arg_dict.unique_key -%}
    {%- if loads().rebuild %}
        delete from {{ target }};
    {%- else -%}
        {%- set query = 'select distinct cast(event_date as varchar) from ' ~ temp ~ ' where closed_by_load_id is not null' -%}
        {%- set days = queried_days(query) -%}
        {%- if days.days %}
            delete from {{ target }}
            where
                {{ in_days('event_date', days) }}
                and closed_by_load_id is null
                and {{ key }} in (select {{ key }} from {{ temp }} where closed_by_load_id is not null);
        {%- endif %}
        delete from {{ target }}
        where closed_by_load_id <= {{ oldest_reader() }};
    {%- endif %}
    {{ insert_all(arg_dict) }}
{% endmacro %}


{#- `whole`: cheaper than creating the table anew, which makes every client reload the catalog. -#}
{% macro get_incremental_whole_sql(arg_dict) %}
    delete from {{ arg_dict.target_relation }};
    {{ insert_all(arg_dict) }}
{% endmacro %}


{% macro insert_all(arg_dict, condition='true') -%}
    {%- set names = get_quoted_csv(arg_dict.dest_columns | map(attribute='name')) -%}
    insert into {{ arg_dict.target_relation }} ({{ names }})
    select {{ names }}
    from {{ arg_dict.temp_relation }}
    where {{ condition }}
{%- endmacro %}


{#- `keys`: the rows of `temp` replace those of the same unique key; of those that fail `meta.keep_if` nothing remains. -#}
{% macro get_incremental_keys_sql(arg_dict) %}
    delete from {{ arg_dict.target_relation }} as target
    {%- if not loads().rebuild %}
        using {{ arg_dict.temp_relation }} as changed
        where
            {%- for column in arg_dict.unique_key %}
                target.{{ column }} = changed.{{ column }}{{ ' and' if not loop.last }}
            {%- endfor %}
    {%- endif %};
    {{ insert_all(arg_dict, config.get('meta').keep_if or 'true') }}
{% endmacro %}


{#- `days`: the days that the macro named by meta.days lists, else those of `temp`, are replaced by what `temp` holds. -#}
{% macro get_incremental_days_sql(arg_dict) %}
    {%- set loads = loads() -%}
    {%- if loads.rebuild -%}
        {%- set days = none -%}
    {%- elif config.get('meta').days -%}
        {%- set days = context[config.get('meta').days](loads) -%}
    {%- else -%}
        {%- set query = 'select distinct cast(event_date as varchar) from ' ~ arg_dict.temp_relation -%}
        {%- set days = queried_days(query) -%}
    {%- endif -%}
    delete from {{ arg_dict.target_relation }}
    where {{ in_days('event_date', days) }};
    {{ insert_all(arg_dict) }}
{% endmacro %}


{#-
    `periods`: the same for a model of days and longer periods, of which the latter are always replaced. Metrics that the
    macro named by meta.nightly lists have all their days replaced by the nightly job, and none by others.
-#}
{% macro get_incremental_periods_sql(arg_dict) %}
    {%- set meta = config.get('meta') -%}
    {%- set is_replaced = in_days('period_start', context[meta.days](loads())) -%}
    {%- if meta.nightly -%}
        {%- set metrics = "metric_id in ('" ~ context[meta.nightly]() | join("', '") ~ "')" -%}
        {%- set is_replaced = metrics ~ ' or ' ~ is_replaced if is_nightly() else 'not ' ~ metrics ~ ' and ' ~ is_replaced -%}
    {%- endif %}
    delete from {{ arg_dict.target_relation }}
    where period_kind <> 'daily' or {{ is_replaced }};
    {{ insert_all(arg_dict) }}
{% endmacro %}


{#- `mirror`: rows of the versioned model `meta.mirrors` that began or ended with the loads are replaced by those of `temp`. -#}
{% macro get_incremental_mirror_sql(arg_dict) %}
    {%- set loads = loads() -%}
    delete from {{ arg_dict.target_relation }}
    {%- if not loads.rebuild %}
        where
            {{ arg_dict.unique_key }} in (
                select {{ arg_dict.unique_key }}
                from ({{ changed_versions(ref(config.get('meta').mirrors), [arg_dict.unique_key], loads) }}) as changed
            )
    {%- endif %};
    {{ insert_all(arg_dict) }}
{% endmacro %}
