{{ config(materialized='view') }}

-- The series that are watched for anomalies, without gaps: from their first value on, of a campaign up to its end, of
-- all others up to yesterday.
with known_days as (
    {% for metric, breakdowns in watched_metrics().items() %}
        {%- set names = "'" ~ breakdowns | join("', '") ~ "'" %}
        {%- set is_count = not (delivery_metrics()[metric].denominator or delivery_metrics()[metric].needs) %}
        select
            '{{ metric }}' as metric_id,
            breakdown,
            breakdown_key,
            {{ is_count | lower }} as is_count,
            period_start as event_date,
            {{ metric }}_value as value
        from {{ ref('int_performance') }}
        where
            period_kind = 'daily'
            and breakdown in ({{ names }})
            and period_start >= {{ watched_history_since() }}
            and period_start < {{ as_of_date() }}
            and {{ metric ~ '_value > 0' if is_count else metric ~ '_value is not null' }}
        union all
    {% endfor %}
    select
        'events' as metric_id,
        'event_type' as breakdown,
        event_type as breakdown_key,
        true as is_count,
        event_date,
        cast(events as double) as value
    from {{ ref('int_daily_volumes') }}
    where
        event_date >= {{ watched_history_since() }}
        and event_date < {{ as_of_date() }}
        and event_type <> 'anomaly_detected' -- or what is found tonight would be found again tomorrow
),

lives as (
    select
        known_days.metric_id,
        known_days.breakdown,
        known_days.breakdown_key,
        known_days.is_count,
        min(known_days.event_date) as first_day,
        max(case
            when known_days.breakdown <> 'campaign' then {{ plus_days(as_of_date(), -1) }}
            when campaigns.status = 'active' and campaigns.end_date < {{ as_of_date() }}
                then greatest(known_days.event_date, campaigns.end_date)
            when campaigns.status = 'active' then {{ plus_days(as_of_date(), -1) }}
            else known_days.event_date
        end) as last_day
    from known_days
    left join {{ ref('int_campaigns') }} as campaigns
        on known_days.breakdown = 'campaign' and known_days.breakdown_key = cast(campaigns.campaign_id as varchar)
    group by known_days.metric_id, known_days.breakdown, known_days.breakdown_key, known_days.is_count
),

days as (
    select
        lives.*,
        cast(series.day as date) as event_date
    from lives
    cross join {{ day_series('lives.first_day', 'lives.last_day') }}
    where lives.last_day >= {{ watched_since() }}
)

-- A count that isn't there is zero; a ratio that isn't there is unknown.
select
    days.metric_id,
    days.breakdown,
    days.breakdown_key,
    days.event_date,
    coalesce(known_days.value, case when days.is_count then 0.0 end) as value,
    days.is_count,
    days.event_date >= {{ watched_since() }} as is_judged
from days
left join known_days
    on
        days.metric_id = known_days.metric_id
        and days.breakdown = known_days.breakdown
        and days.breakdown_key = known_days.breakdown_key
        and days.event_date = known_days.event_date
