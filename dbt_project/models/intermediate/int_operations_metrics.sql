{{ config(materialized='view') }}

-- The metrics of the platform itself as rows of metric_values. A view, so that a landing batch does not wait for the
-- models of the night.
select
    'uptime_percent' as metric_id,
    breakdown,
    breakdown_key,
    period_kind,
    window_label,
    period_start,
    period_end,
    cast(ok_probes as double) as numerator,
    cast(probes as double) as denominator,
    uptime_percent as value,
    uptime_percent_null_reason as null_reason,
    {{ share_half_width('ok_probes', 'probes') }} as half_width,
    as_of
from {{ ref('service_uptime') }}
union all
select
    'cost_per_query' as metric_id,
    breakdown,
    breakdown_key,
    period_kind,
    window_label,
    period_start,
    period_end,
    cast(cost as double) as numerator,
    cast(queries as double) as denominator,
    cost_per_query as value,
    cost_per_query_null_reason as null_reason,
    cast(null as double) as half_width,
    as_of
from {{ ref('query_costs') }}
where breakdown <> 'query'
