{{ config(incremental_strategy='whole') }}

with performance as (
    select * from {{ ref('int_performance') }}
    where breakdown = 'campaign' and period_kind = 'window'
)

select
    {{ campaign_columns('performance') }},
    performance.window_label,
    performance.period_start,
    performance.period_end,
    {{ performance_columns('performance') }},
    {{ as_of() }} as as_of
from performance
left join {{ ref('dim_campaigns') }} as campaigns on performance.breakdown_key = cast(campaigns.campaign_id as varchar)
