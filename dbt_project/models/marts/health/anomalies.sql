{{ config(incremental_strategy='whole') }}

with found as (
    select * from {{ ref('int_anomalies') }}
    union all
    select
        'events' as metric_id,
        'event_type' as breakdown,
        event_type as breakdown_key,
        event_date,
        'missing_data' as rule,
        'missing_data' as kind,
        'day' as judged,
        cast(events as double) as actual,
        expected_events as expected,
        100 * ({{ safe_divide('events', 'expected_events') }} - 1) as deviation_percent,
        cast(null as double) as score
    from {{ ref('data_freshness') }}
    where
        event_type = 'all'
        and is_incomplete
        and event_date >= {{ watched_since() }}
        and event_date < {{ as_of_date() }}
    union all
    select
        'duplicate_percent' as metric_id,
        'overall' as breakdown,
        'all' as breakdown_key,
        load_date as event_date,
        'duplicates' as rule,
        'duplicate' as kind,
        'day' as judged,
        duplicate_percent as actual,
        cast({{ quality_limits().info.duplicate_percent }} as double) as expected,
        100 * (duplicate_percent / {{ quality_limits().info.duplicate_percent }} - 1) as deviation_percent,
        cast(null as double) as score
    from {{ ref('quality_levels') }}
    where
        grain = 'day'
        and {{ passes_limit('duplicate_percent', quality_limits().info.duplicate_percent) }}
        and load_date >= {{ watched_since() }}
        and load_date < {{ as_of_date() }}
)

select
    cast(md5(concat_ws(
        '|', found.metric_id, found.breakdown, found.breakdown_key, found.event_date, found.rule
    )) as {{ uuid_type() }}) as anomaly_id,
    found.event_date,
    found.metric_id,
    found.breakdown,
    found.breakdown_key,
    campaigns.name as campaign_name,
    found.rule,
    found.kind,
    case
        when found.rule = 'seasonal_residual' and abs(found.score) >= 6 then 'critical'
        when found.rule in ('seasonal_residual', 'missing_data') then 'warning'
        else 'info'
    end as severity,
    found.judged,
    found.actual,
    found.expected,
    found.deviation_percent,
    found.score,
    {{ as_of() }} as as_of
from found
left join {{ ref('dim_campaigns') }} as campaigns
    on found.breakdown = 'campaign' and found.breakdown_key = cast(campaigns.campaign_id as varchar)
