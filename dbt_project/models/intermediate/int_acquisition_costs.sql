{{ config(materialized='view') }}

-- What every campaign had spent by the end of a day for each of the customers that it had acquired until then.
{%- set parts = {
    'customers': 'bigint',
    'spend': 'decimal(28, 4)',
    'spend_reports': 'bigint',
    'spend_missing_rate': 'bigint',
} %}

with changes as (
    select
        campaign_id,
        acquired_date as event_date,
        count(*) as customers,
        0 as spend,
        0 as spend_reports,
        0 as spend_missing_rate
    from {{ ref('int_acquisitions') }}
    group by campaign_id, acquired_date

    union all

    select
        campaign_id,
        event_date,
        0 as customers,
        coalesce(sum(spend), 0) as spend,
        count(*) as spend_reports,
        count(*) - count(spend) as spend_missing_rate
    from {{ ref('int_ad_spend') }}
    where stated_spend is not null
    group by campaign_id, event_date
),

{{ running_sums('changes', ['campaign_id'], parts, name='totals') }}

select
    campaign_id,
    event_date,
    customers,
    -- Whether the campaign states a spend, be it in a currency without a rate.
    spend_reports > 0 as is_paid,
    -- Decimal, so that sums of it do not depend on their order.
    case
        when spend_reports > 0 and spend_missing_rate = 0
            then cast({{ safe_divide('spend', 'customers') }} as decimal(28, 10))
    end as acquisition_cost,
    case
        when spend_reports = 0 then 'no_spend_reported'
        when spend_missing_rate > 0 then 'missing_rate'
    end as acquisition_cost_null_reason
from totals
where customers > 0
