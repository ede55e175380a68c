{{ config(tags=['real_time']) }}

-- The wide table of people and the long table of machines hold the same numbers.
with wide as (
    {% for metric in delivery_metrics() %}
        select
            '{{ metric }}' as metric_id,
            cast(campaign_id as varchar) as breakdown_key,
            window_label,
            cast({{ metric }} as double) as value
        from {{ ref('campaign_performance') }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

narrow as (
    select * from {{ ref('metric_values') }}
    where
        breakdown = 'campaign'
        and period_kind = 'window'
        and metric_id in ({{ "'" ~ delivery_metrics() | join("', '") ~ "'" }})
)

select
    wide.metric_id,
    wide.breakdown_key,
    wide.window_label,
    wide.value as wide_value,
    narrow.value as narrow_value
from wide
full outer join narrow
    on
        wide.metric_id = narrow.metric_id
        and wide.breakdown_key = narrow.breakdown_key
        and wide.window_label = narrow.window_label
where wide.value is distinct from narrow.value
