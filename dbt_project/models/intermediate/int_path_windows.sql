{{ config(materialized='view') }}

select
    paths.breakdown,
    windows.window_label,
    paths.path,
    cast(sum(paths.conversions) as bigint) as conversions,
    cast(sum(paths.revenue) as double) as revenue,
    cast(sum(paths.unconverted) as bigint) as unconverted,
    cast(sum(paths.missing_rate) as bigint) as missing_rate
from {{ ref('int_attribution_paths') }} as paths
inner join {{ ref('int_windows') }} as windows
    on paths.event_date >= windows.period_start and paths.event_date <= windows.period_end
group by paths.breakdown, windows.window_label, paths.path
