{#- The values of a group as a list, in the order of `key`. Sorted as lists: an aggregate in order takes seven times as long. -#}
{% macro ordered_list(value, key) -%}{{ return(adapter.dispatch('ordered_list')(value, key)) }}{%- endmacro %}
{% macro duckdb__ordered_list(value, key) -%}
    list_transform(list_sort(list({'key': {{ key }}, 'value': {{ value }}})), lambda element: struct_extract(element, 'value'))
{%- endmacro %}
{% macro spark__ordered_list(value, key) -%}
    transform(array_sort(collect_list(struct({{ key }}, {{ value }} as value))), element -> element.value)
{%- endmacro %}


{#- The relation with one row per element of its lists of equal length: each as `name`, its `position` from 1. -#}
{% macro unnested(relation, lists) -%}{{ return(adapter.dispatch('unnested')(relation, lists)) }}{%- endmacro %}
{% macro duckdb__unnested(relation, lists) -%}
    (
        select
            *,
            {% for name, list in lists.items() %}
                unnest({{ list }}) as {{ name }},
            {% endfor %}
            generate_subscripts({{ lists.values() | first }}, 1) as position
        from {{ relation }}
    )
{%- endmacro %}
{% macro spark__unnested(relation, lists) -%}
    (
        select
            source.*,
            {% for name, list in lists.items() %}
                source.{{ list }}[element.position] as {{ name }},
            {% endfor %}
            element.position + 1 as position
        from {{ relation }} as source
        lateral view posexplode({{ lists.values() | first }}) element as position, value
    )
{%- endmacro %}


{#- Whether a value is in a list. -#}
{% macro in_list(list, value) -%}{{ return(adapter.dispatch('in_list')(list, value)) }}{%- endmacro %}
{% macro duckdb__in_list(list, value) -%}list_contains({{ list }}, {{ value }}){%- endmacro %}
{% macro spark__in_list(list, value) -%}array_contains({{ list }}, {{ value }}){%- endmacro %}
