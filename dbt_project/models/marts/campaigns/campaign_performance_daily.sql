{{ config(incremental_strategy='days', meta={'by_as_of': true, 'days': 'changed_performance_days'}) }}

{%- set loads = loads() -%}
{%- set days = changed_performance_days(loads) -%}

with daily as (
    select
        *,
        period_start as event_date
    from {{ ref('int_performance') }}
    where breakdown = 'campaign' and period_kind = 'daily' and {{ in_days('period_start', days) }}
)

select
    {{ campaign_columns('daily') }},
    daily.event_date,
    {{ performance_columns('daily') }},
    {{ as_of() }} as as_of,
    cast({{ loads.until }} as bigint) as load_id
from daily
left join {{ ref('dim_campaigns') }} as campaigns on daily.breakdown_key = cast(campaigns.campaign_id as varchar)
