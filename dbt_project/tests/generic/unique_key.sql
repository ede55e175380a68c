{#- No two rows, of those that `only` leaves, have the same values in these columns. -#}
{% test unique_key(model, columns, only='true') %}
    select
        {{ columns | join(', ') }},
        count(*) as occurrences
    from {{ model }}
    where {{ only }}
    group by {{ columns | join(', ') }}
    having count(*) > 1
{% endtest %}
