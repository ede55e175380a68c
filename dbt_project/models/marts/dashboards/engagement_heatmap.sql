{{ config(incremental_strategy='whole') }}

{%- set first_weekday = iso_weekday('period_start') -%}
{%- set days = days_between('period_start', 'period_end') %}

-- Every hour of every weekday that the window has, and how often it has been: a day weighs the same in all windows.
with cells as (
    select
        windows.*,
        weekdays.weekday,
        hours.hour_of_day,
        cast(floor(
            ({{ days }} - mod(weekdays.weekday - {{ first_weekday }} + 7, 7)) / 7.0
        ) as bigint) + 1
        - case
            when
                weekdays.weekday = {{ iso_weekday('period_end') }}
                and hours.hour_of_day > extract(hour from {{ as_of() }})
                then 1
            else 0
        end as hours_observed
    from {{ ref('int_windows') }} as windows
    cross join (values (1), (2), (3), (4), (5), (6), (7)) as weekdays (weekday)
    cross join {{ hours_of_day() }}
),

counts as (
    {% for segment in ["'all'", 'parts.segment'] %}
        select
            {{ segment }} as segment,
            windows.window_label,
            {{ iso_weekday('parts.event_date') }} as weekday,
            parts.hour_of_day,
            sum(parts.sent) as sent,
            sum(parts.opens) as opens,
            sum(parts.clicks) as clicks
        from {{ ref('int_hourly_parts') }} as parts
        inner join {{ ref('int_windows') }} as windows
            on parts.event_date >= windows.period_start and parts.event_date <= windows.period_end
        group by
            {{ 'parts.segment,' if not loop.first }} windows.window_label, {{ iso_weekday('parts.event_date') }},
            parts.hour_of_day
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

segments as (
    select distinct
        segment,
        window_label
    from counts
),

-- What lies in the rest of the day of as_of, by clocks ahead of ours, has its hour nonetheless.
filled as (
    select
        segments.segment,
        cells.window_label,
        cells.period_start,
        cells.period_end,
        cells.weekday,
        cells.hour_of_day,
        greatest(cells.hours_observed, case when counts.sent + counts.opens + counts.clicks > 0 then 1 else 0 end)
            as hours_observed,
        coalesce(counts.sent, 0) as sent,
        coalesce(counts.opens, 0) as opens,
        coalesce(counts.clicks, 0) as clicks
    from segments
    inner join cells on segments.window_label = cells.window_label
    left join counts
        on
            segments.segment = counts.segment
            and cells.window_label = counts.window_label
            and cells.weekday = counts.weekday
            and cells.hour_of_day = counts.hour_of_day
),

averages as (
    select
        *,
        {{ safe_divide('opens + clicks', 'hours_observed') }} as engagements_per_hour
    from filled
    where hours_observed > 0
),

judged as (
    select
        *,
        100 * {{ safe_divide(
            'engagements_per_hour', 'max(engagements_per_hour) over (partition by segment, window_label)'
        ) }} as percent_of_peak
    from averages
)

select
    segment,
    window_label,
    period_start,
    period_end,
    cast(weekday as bigint) as weekday,
    cast(hour_of_day as bigint) as hour_of_day,
    cast(hours_observed as bigint) as hours_observed,
    cast(sent as bigint) as sent,
    cast(opens as bigint) as opens,
    cast(clicks as bigint) as clicks,
    engagements_per_hour,
    percent_of_peak,
    {{ heat_level('percent_of_peak') }} as heat_level,
    {{ as_of() }} as as_of
from judged
