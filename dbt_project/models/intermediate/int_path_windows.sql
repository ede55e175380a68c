{{ config(materialized='view') }}

-- Windows overlap: each journey is counted once, with all the windows that hold it.
with days as (
    select distinct event_date
    from {{ ref('int_attribution_paths') }}
),

windows_of_days as (
    select
        days.event_date,
        {{ ordered_list('windows.window_label', 'windows.window_label') }} as window_labels
    from days
    inner join {{ ref('int_windows') }} as windows
        on days.event_date >= windows.period_start and days.event_date <= windows.period_end
    group by days.event_date
)

select
    paths.breakdown,
    windows_of_days.window_labels,
    paths.path,
    cast(sum(paths.conversions) as bigint) as conversions,
    cast(sum(paths.revenue) as double) as revenue,
    cast(sum(paths.unconverted) as bigint) as unconverted,
    cast(sum(paths.missing_rate) as bigint) as missing_rate
from {{ ref('int_attribution_paths') }} as paths
inner join windows_of_days
    on paths.event_date = windows_of_days.event_date
group by paths.breakdown, windows_of_days.window_labels, paths.path
