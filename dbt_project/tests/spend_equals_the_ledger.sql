{{ config(tags=['nightly']) }}

-- Whatever the platforms report stands in the performance of their campaigns.
with ledger as (
    select
        event_date,
        sum(impressions) as impressions,
        sum(spend) as spend,
        max(case when is_missing_rate then 1 else 0 end) = 1 as is_missing_rate
    from {{ ref('fct_ad_spend_daily') }}
    where event_date <= {{ as_of_date() }}
    group by event_date
),

performance as (
    select
        event_date,
        sum(reported_impressions) as impressions,
        sum(spend) as spend
    from {{ ref('campaign_performance_daily') }}
    group by event_date
)

select
    ledger.event_date,
    ledger.spend as ledger_spend,
    performance.spend as performance_spend
from ledger
left join performance on ledger.event_date = performance.event_date
where
    ledger.impressions is distinct from performance.impressions
    or (ledger.spend is distinct from performance.spend and not ledger.is_missing_rate)
