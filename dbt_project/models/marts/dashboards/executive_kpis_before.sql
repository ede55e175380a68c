{{ config(incremental_strategy='whole') }}

{%- set days_before = 'cast(-1 - ' ~ days_between('period_start', 'period_end') ~ ' as integer)' %}

-- The period of equal length right before each window.
with windows as (
    select
        window_label,
        {{ plus_days('period_start', days_before) }} as period_start,
        {{ plus_days('period_start', -1) }} as period_end
    from {{ ref('int_windows') }}
),

campaigns as (
    select
        windows.window_label,
        sum(parts.conversion_revenue) as conversion_revenue,
        sum(parts.conversions_missing_rate) as conversions_missing_rate,
        sum(parts.spend) as spend,
        sum(parts.spend_reports) as spend_reports,
        sum(parts.spend_missing_rate) as spend_missing_rate,
        sum(parts.new_customers) as new_customers
    from windows
    inner join {{ ref('int_performance_parts') }} as parts
        on
            parts.breakdown = 'overall'
            and windows.period_start <= parts.event_date
            and windows.period_end >= parts.event_date
    group by windows.window_label
),

readers as (
    select
        windows.window_label,
        count(distinct case when contacts.action = 'sent' then contacts.user_id end) as users_messaged,
        count(distinct case when contacts.action = 'opened' then contacts.user_id end) as users_opened_message
    from windows
    inner join {{ ref('int_touchpoints') }} as contacts
        on windows.period_start <= contacts.event_date and windows.period_end >= contacts.event_date
    where
        contacts.closed_by_load_id is null
        and not contacts.is_held_out
        and contacts.message_channel in ('email', 'push')
        and contacts.action in ('sent', 'opened')
    group by windows.window_label
),

{%- set reasons = {
    'spend': "case when coalesce(campaigns.spend_reports, 0) = 0 then 'no_spend_reported'"
        ~ " when campaigns.spend_missing_rate > 0 then 'missing_rate' end",
} %}

metrics as (
    select
        windows.*,
        'roas' as metric_id,
        cast(campaigns.conversion_revenue as double) as numerator,
        cast(campaigns.spend as double) as denominator,
        1 as scale,
        case
            when campaigns.conversions_missing_rate > 0 then 'missing_rate' else {{ reasons.spend }}
        end as gap
    from windows
    left join campaigns on windows.window_label = campaigns.window_label
    union all
    select
        windows.*,
        'cac' as metric_id,
        cast(campaigns.spend as double) as numerator,
        cast(campaigns.new_customers as double) as denominator,
        1 as scale,
        {{ reasons.spend }} as gap
    from windows
    left join campaigns on windows.window_label = campaigns.window_label
    union all
    select
        windows.*,
        'open_rate' as metric_id,
        cast(coalesce(readers.users_opened_message, 0) as double) as numerator,
        cast(coalesce(readers.users_messaged, 0) as double) as denominator,
        100 as scale,
        cast(null as varchar) as gap
    from windows
    left join readers on windows.window_label = readers.window_label
    union all
    select
        windows.*,
        'ltv' as metric_id,
        customers.ltv_numerator as numerator,
        coalesce(customers.ltv_denominator, 0) as denominator,
        1 as scale,
        nullif(customers.ltv_null_reason, 'zero_denominator') as gap
    from windows
    left join {{ ref('int_customer_economics') }} as customers
        on customers.breakdown = 'overall' and windows.period_end = customers.event_date
)

select
    metric_id,
    window_label,
    period_start,
    period_end,
    case when gap is null then numerator end as numerator,
    case when gap is null then denominator end as denominator,
    case when gap is null then scale * {{ safe_divide('numerator', 'denominator') }} end as value,
    case
        when gap is not null then gap
        when denominator = 0 then 'zero_denominator'
    end as null_reason,
    {{ as_of() }} as as_of
from metrics
