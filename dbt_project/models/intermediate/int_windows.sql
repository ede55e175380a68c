{{ config(materialized='view') }}

-- The windows of the metrics; each ends with the UTC day of as_of.
{% for days in [1, 7, 30, 90] %}
    select
        '{{ days }}d' as window_label,
        {{ plus_days(as_of_date(), 1 - days) }} as period_start,
        {{ as_of_date() }} as period_end
    union all
{% endfor %}
select
    'ytd' as window_label,
    {{ year_start(as_of_date()) }} as period_start,
    {{ as_of_date() }} as period_end
