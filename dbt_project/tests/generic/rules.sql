{#-
    Every row meets every rule, a mapping of names to conditions; a condition that is null is broken. Many rules in one
    test, since a test costs more than a condition. `only` narrows the rows, `of_last_load` to those last written.
-#}
{% test rules(model, rules, only='true', of_last_load=false) %}
    select *
    from (
        select
            case
                {% for name, condition in rules.items() %}
                    when not coalesce({{ condition }}, false) then '{{ name }}'
                {% endfor %}
            end as broken_rule,
            *
        from {{ model }}
        where
            {{ only }}
            {% if of_last_load %}
                and load_id = (select max(load_id) from {{ model }})
            {% endif %}
    ) as judged
    where broken_rule is not null
{% endtest %}
