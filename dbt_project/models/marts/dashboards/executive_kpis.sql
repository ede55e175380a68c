{{ config(materialized='view') }}

{%- set cards = ['roas', 'incrementality_percent', 'cac', 'ltv', 'open_rate'] %}

with dictionary as (
    select * from {{ ref('metric_dictionary') }}
    where metric_id in ({{ "'" ~ cards | join("', '") ~ "'" }})
),

measured as (
    select * from {{ ref('metric_values') }}
    where
        metric_id in ({{ "'" ~ cards | join("', '") ~ "'" }})
        and breakdown = 'overall'
        and breakdown_key = 'all'
),

windows as (
    select distinct
        window_label,
        period_start,
        period_end
    from measured
    where metric_id = 'roas' and period_kind = 'window'
),

days as (
    select
        measured.metric_id,
        measured.period_end as event_date,
        measured.value,
        coalesce(measured.value < dictionary.target_min, false)
        or coalesce(measured.value > dictionary.target_max, false) as is_off_target
    from measured
    inner join dictionary on measured.metric_id = dictionary.metric_id
    where measured.period_kind = 'daily' and measured.value is not null
),

hits as (
    select
        metric_id,
        max(event_date) as event_date
    from days
    where not is_off_target
    group by metric_id
),

-- The days since the last one on target; days without a value tell nothing.
misses as (
    select
        days.metric_id,
        count(*) as days_off_target
    from days
    left join hits on days.metric_id = hits.metric_id
    where days.is_off_target and (hits.event_date is null or days.event_date > hits.event_date)
    group by days.metric_id
),

trends as (
    select
        windows.window_label,
        days.metric_id,
        {{ ordered_list('days.event_date', 'days.event_date') }} as daily_dates,
        {{ ordered_list('days.value', 'days.event_date') }} as daily_values
    from windows
    inner join days on windows.period_start <= days.event_date and windows.period_end >= days.event_date
    group by windows.window_label, days.metric_id
),

-- Every card in every window; what is only measured over a window of its own shows that one.
slots as (
    select
        windows.window_label,
        case when dictionary.metric_id = 'ltv' then '365d' else windows.window_label end as measured_over,
        windows.period_start,
        windows.period_end,
        dictionary.metric_id,
        dictionary.name,
        dictionary.formula,
        dictionary.unit,
        dictionary.target_min,
        dictionary.target_max
    from windows
    cross join dictionary
),

cards as (
    select
        slots.*,
        measured.value,
        case when measured.metric_id is null then 'not_computed_yet' else measured.null_reason end as null_reason,
        measured.status,
        measured.completeness_percent,
        measured.confidence_percent,
        measured.as_of
    from slots
    left join measured
        on
            slots.metric_id = measured.metric_id
            and slots.measured_over = measured.window_label
            and measured.period_kind = 'window'
),

compared as (
    select
        cards.*,
        earlier.value as earlier_value,
        case
            when cards.value is null then cards.null_reason
            when cards.metric_id = 'incrementality_percent' then 'no_earlier_measurement'
            when earlier.metric_id is null then 'not_computed_yet'
            when earlier.value = 0 then 'zero_denominator'
            else earlier.null_reason
        end as change_null_reason
    from cards
    left join {{ ref('executive_kpis_before') }} as earlier
        on
            cards.metric_id = earlier.metric_id
            and cards.window_label = earlier.window_label
            and {{ plus_days('earlier.period_end', 1) }} = cards.period_start
)

select
    compared.metric_id,
    compared.name,
    compared.window_label,
    compared.measured_over,
    compared.period_start,
    compared.period_end,
    compared.value,
    compared.null_reason,
    compared.unit,
    compared.status,
    compared.target_min,
    compared.target_max,
    coalesce(compared.value >= compared.target_min, true) and coalesce(compared.value <= compared.target_max, true)
    and compared.value is not null as is_on_target,
    compared.earlier_value,
    case
        when compared.change_null_reason is null
            then 100 * {{ safe_divide('compared.value - compared.earlier_value', 'abs(compared.earlier_value)') }}
    end as change_percent,
    compared.change_null_reason,
    coalesce(misses.days_off_target, 0) as days_off_target,
    coalesce(misses.days_off_target, 0) >= 3 as is_alert,
    trends.daily_dates,
    trends.daily_values,
    compared.formula,
    compared.completeness_percent,
    compared.confidence_percent,
    compared.as_of
from compared
left join misses on compared.metric_id = misses.metric_id
left join trends on compared.metric_id = trends.metric_id and compared.window_label = trends.window_label
