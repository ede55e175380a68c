{{ config(tags=['real_time']) }}

-- A longer window holds all that a shorter one does.
{%- set longer = [('1d', '7d'), ('7d', '30d'), ('30d', '90d'), ('1d', 'ytd')] -%}
{%- set counts = [
    'impressions', 'clicks', 'opens', 'conversions', 'new_customers', 'users_reached', 'users_messaged',
    'users_opened_message', 'users_clicked_message', 'users_clicked', 'users_converted',
] %}

select
    longer.campaign_id,
    longer.window_label,
    shorter.window_label as shorter_window
from {{ ref('campaign_performance') }} as longer
inner join {{ ref('campaign_performance') }} as shorter
    on
        longer.campaign_id = shorter.campaign_id
        and (
            false
            {% for short, long in longer %}
                or (shorter.window_label = '{{ short }}' and longer.window_label = '{{ long }}')
            {% endfor %}
        )
where
    false
    {% for count in counts %}
        or longer.{{ count }} < shorter.{{ count }}
    {% endfor %}
