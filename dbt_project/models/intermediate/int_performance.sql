{{ config(incremental_strategy='periods', meta={'by_as_of': true, 'days': 'changed_performance_days'}) }}

{%- set loads = loads() -%}
{%- set days = changed_performance_days(loads) -%}

with daily_parts as (
    select * from {{ ref('int_performance_parts') }}
),

budgets as (
    select * from {{ ref('int_budget_utilization') }}
),

hours as (
    select * from {{ ref('int_conversion_hours') }}
),

-- A group has a row for every day with a fact or report, …
daily_sums as (
    select
        breakdown,
        breakdown_key,
        'daily' as period_kind,
        'day' as window_label,
        event_date as period_start,
        {% for name in performance_parts() if not name.startswith('last_') %}
            {{ name }},
        {% endfor %}
        event_date as period_end
    from daily_parts
    where {{ in_days('event_date', days) }}
),

-- … and, if it has ever had one, for every window.
group_windows as (
    select
        seen.breakdown,
        seen.breakdown_key,
        windows.window_label,
        windows.period_start,
        windows.period_end
    from (
        select
            breakdown,
            breakdown_key
        from daily_parts
        union
        select
            breakdown,
            breakdown_key
        from budgets
    ) as seen
    cross join {{ ref('int_windows') }} as windows
),

window_sums as (
    select
        group_windows.breakdown,
        group_windows.breakdown_key,
        'window' as period_kind,
        group_windows.window_label,
        group_windows.period_start,
        {% for name in performance_parts() if not name.startswith('last_') %}
            coalesce(sum(daily_parts.{{ 'last_' ~ name if name in fact_users() else name }}), 0) as {{ name }},
        {% endfor %}
        group_windows.period_end
    from group_windows
    left join daily_parts
        on
            group_windows.breakdown = daily_parts.breakdown
            and group_windows.breakdown_key = daily_parts.breakdown_key
            and group_windows.period_start <= daily_parts.event_date
            and group_windows.period_end >= daily_parts.event_date
    group by
        group_windows.breakdown,
        group_windows.breakdown_key,
        group_windows.window_label,
        group_windows.period_start,
        group_windows.period_end
),

sums as (
    select * from daily_sums
    union all
    select * from window_sums
),

periods as (
    select distinct
        period_start,
        period_end
    from sums
),

medians as (
    select
        hours.breakdown,
        hours.breakdown_key,
        periods.period_start,
        periods.period_end,
        percentile_cont(0.5) within group (order by hours.hours_to_conversion) as median_hours
    from hours
    inner join periods
        on hours.event_date >= periods.period_start and hours.event_date <= periods.period_end
    group by hours.breakdown, hours.breakdown_key, periods.period_start, periods.period_end
),

parts as (
    select
        sums.*,
        medians.median_hours,
        budgets.budget,
        budgets.budget_spend,
        case
            when sums.period_kind = 'daily' and sums.spend_reports = 0 then 'no_spend_reported'
            when budgets.breakdown is null then 'no_budget'
            else budgets.budget_gap
        end as budget_gap
    from sums
    left join medians
        on
            sums.breakdown = medians.breakdown
            and sums.breakdown_key = medians.breakdown_key
            and sums.period_start = medians.period_start
            and sums.period_end = medians.period_end
    left join budgets
        on
            sums.breakdown = budgets.breakdown
            and sums.breakdown_key = budgets.breakdown_key
            and sums.period_end = budgets.event_date
            and (sums.period_kind = 'window' or sums.spend_reports > 0)
),

{{ performance_metrics(['period_kind', 'window_label', 'period_start', 'period_end']) }}
