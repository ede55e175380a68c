{{ config(materialized='view') }}

-- What the platforms report, by group and day. Segments and creatives are none of their words.
with clicked_days as (
    select
        breakdown_key,
        event_date
    from {{ ref('int_daily_parts') }}
    where breakdown = 'campaign' and clicks + held_out_clicks > 0
),

reports as (
    select
        spend.campaign_id,
        spend.platform,
        coalesce(campaigns.campaign_type, 'unknown') as campaign_type,
        spend.event_date,
        spend.impressions,
        -- Click events of the campaign's day are the finer statement: they count instead of the reported ones.
        case when clicked_days.event_date is null then spend.clicks else 0 end as clicks,
        spend.stated_spend,
        spend.spend
    from {{ ref('int_ad_spend') }} as spend
    left join {{ ref('int_campaigns') }} as campaigns on spend.campaign_id = campaigns.campaign_id
    left join clicked_days
        on
            cast(spend.campaign_id as varchar) = clicked_days.breakdown_key
            and spend.event_date = clicked_days.event_date
    where spend.event_date <= {{ as_of_date() }}
)

{% for breakdown, column in breakdowns().items() if breakdown not in breakdowns_without_spend() %}
    select
        '{{ breakdown }}' as breakdown,
        {{ breakdown_key(column) }} as breakdown_key,
        event_date,
        sum(impressions) as reported_impressions,
        sum(clicks) as reported_clicks,
        coalesce(sum(spend), 0) as spend,
        count(stated_spend) as spend_reports,
        count(stated_spend) - count(spend) as spend_missing_rate
    from reports
    group by {{ column ~ ', ' if column is not none }}event_date
    {{ 'union all' if not loop.last }}
{% endfor %}
