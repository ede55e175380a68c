{#- The groups that revenue is credited to: breakdown to the list of a journey that names them, touch by touch. -#}
{% macro credited_breakdowns() %}
    {{ return({
        'campaign': 'campaign_ids',
        'segment': 'segments',
        'creative': 'creative_ids',
        'platform': 'platforms',
        'campaign_type': 'campaign_types',
    }) }}
{% endmacro %}


{#-
    Attribution by a touch's place or age alone: model to the share of a touch in its journey, by `position` from 1 of
    `touches`, `decay`, the weight that halves with every half-life before the order, and `decay_until`, its running sum.
-#}
{% macro rule_based_models() %}
    {{ return({
        'first_touch': 'case when position = 1 then 1.0 else 0.0 end',
        'last_touch': 'case when position = touches then 1.0 else 0.0 end',
        'linear': '1.0 / touches',
        'position': 'case when touches = 1 then 1.0 when touches = 2 then 0.5 when position in (1, touches) then 0.4'
            ~ ' else 0.2 / (touches - 2) end',
        'time_decay': 'decay / max(decay_until) over journey',
    }) }}
{% endmacro %}


{#- How long before the order a touch's weight under time decay is half of one at the order. -#}
{% macro attribution_half_life_seconds() -%}604800{%- endmacro %}


{#- Attribution that looks at all journeys at once, computed by `models_ml.attribution`. -#}
{% macro data_driven_models() %}
    {{ return(['markov', 'shapley']) }}
{% endmacro %}


{#- How far apart the models' revenues are that are known, and their mean. -#}
{% macro revenue_spread(models) -%}
    cast(
        greatest({{ models | join('_revenue, ') }}_revenue)
        - least({{ models | join('_revenue, ') }}_revenue) as double
    ) as revenue_range,
    {%- set sum, known = [], [] -%}
    {%- for model in models -%}
        {%- do sum.append('coalesce(' ~ model ~ '_revenue, 0)') -%}
        {%- do known.append('case when ' ~ model ~ '_revenue is null then 0 else 1 end') -%}
    {%- endfor %}
    {{ safe_divide('(' ~ sum | join(' + ') ~ ')', '(' ~ known | join(' + ') ~ ')') }} as mean_revenue
{%- endmacro %}


{#- Days on which the loads changed how an order, or a way to none, came about; all when everything is built anew. -#}
{% macro changed_journey_days(loads) %}
    {%- set journeys = ref('int_journeys') -%}
    {%- if not asks_the_lake() -%}{{ return({'days': [], 'since': none}) }}{%- endif -%}
    {%- if loads.rebuild -%}{{ return(none) }}{%- endif -%}
    {%- set query -%}
        select distinct cast(event_date as varchar) as day
        from ({{ changed_versions(journeys, ['event_date'], loads) }}) as changed
        order by day
    {%- endset -%}
    {{ return(queried_days(query)) }}
{% endmacro %}
