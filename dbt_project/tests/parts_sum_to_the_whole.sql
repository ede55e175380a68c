{{ config(tags=['real_time']) }}

-- What adds up is the same in every breakdown, on every day.
{%- set parts = ['sent', 'opens', 'clicks', 'held_out_clicks', 'conversions', 'conversion_revenue'] %}

with sums as (
    select
        breakdown,
        {% for part in parts %}
            sum({{ part }}) as {{ part }},
        {% endfor %}
        event_date
    from {{ ref('int_daily_parts') }}
    group by breakdown, event_date
)

select
    sums.*,
    whole.sent as whole_sent
from sums
inner join sums as whole on sums.event_date = whole.event_date and whole.breakdown = 'overall'
where
    false
    {% for part in parts %}
        or sums.{{ part }} <> whole.{{ part }}
    {% endfor %}
