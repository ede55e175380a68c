{#-
    What counts in the delivery metrics, one row per thing that happened: `kind`, on which day, to whom, in which groups,
    `by_message` (e-mail or push), `amount` in base currency. `condition` is about event_date, user_id and the version. A
    new customer counts on the day of the first order, everything else on that of its event. `extra` columns are added.
-#}
{% macro performance_facts(condition, extra='') -%}
    {%- set sources = [
        {
            'model': 'int_touchpoints',
            'kind': "case when is_held_out then 'held_out_clicked' else action end",
            'by_message': "coalesce(message_channel in ('email', 'push'), false)",
            'counts': "action in ('sent', 'opened', 'clicked') and (not is_held_out or action = 'clicked')",
        },
        {'model': 'int_conversions', 'kind': "'converted'", 'amount': 'conversion_value', 'counts': 'is_counted'},
        {
            'model': 'int_conversions',
            'kind': "'new_customer'",
            'user': 'new_customer_id',
            'day': 'new_customer_date',
            'counts': 'is_counted and new_customer_id is not null',
        },
        {
            'model': 'int_orders',
            'kind': "'ordered'",
            'amount': 'order_value',
            'counts': 'not is_repeated',
            'groups': ['segment'],
        },
    ] -%}
    {%- for source in sources %}
        {%- set day, user = source.get('day', 'event_date'), source.get('user', 'user_id') %}
        select
            {{ source.kind }} as kind,
            {{ source.get('by_message', 'false') }} as by_message,
            {{ source.get('amount', 'cast(null as decimal(18, 4))') }} as amount,
            {{ user }} as user_id,
            {{ day }} as event_date,
            {%- for group in ['campaign_id', 'segment', 'creative_id', 'platform', 'campaign_type'] %}
                {{ group if group in source.get('groups', [group]) else 'null as ' ~ group }}{{ ',' if not loop.last or extra }}
            {%- endfor %}
            {{ extra }}
        from {{ ref(source.model) }}
        where {{ source.counts }} and {{ condition | replace('event_date', day) | replace('user_id', user) }}
        {{ 'union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}


{#- The facts that began or ended to be shown since the model was last built, with `added` 1 or -1. -#}
{% macro changed_facts(loads) -%}
    {%- set shown = 'event_date <= ' ~ as_of_date() -%}
    {%- set was_shown = "event_date <= date '" ~ loads.shown_until ~ "'" -%}
    {%- set held = held_at(loads.until) -%}
    {%- set is_old = 'load_id <= ' ~ loads.since -%}
    {%- set began = [is_new(loads), held, shown] | join(' and ') -%}
    {%- set came_into_view = [is_old, held, shown, 'not ' ~ was_shown] | join(' and ') -%}
    {%- set ended = [is_old, 'closed_by_load_id > ' ~ loads.since, 'closed_by_load_id <= ' ~ loads.until, was_shown]
        | join(' and ') -%}
    {{ performance_facts(began, '1 as added') }}
    union all
    {{ performance_facts(came_into_view, '1 as added') }}
    union all
    {{ performance_facts(ended, '-1 as added') }}
{%- endmacro %}
