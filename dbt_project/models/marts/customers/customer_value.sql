{{ config(incremental_strategy='whole') }}

{%- set metrics = ['ltv', 'cac_payback_months'] %}

with valued as (
    select
        user_id,
        segment,
        first_order_date,
        last_order_date,
        cast(orders as bigint) as orders,
        campaign_id as acquiring_campaign_id,
        platform as acquiring_platform,
        campaign_type as acquiring_campaign_type,
        cast(acquisition_cost as double) as acquisition_cost,
        acquisition_cost_null_reason,
        cast({{ months('days_observed') }} as double) as months_observed,
        case when trailing_missing_rate = 0 then cast(trailing_revenue as decimal(18, 4)) end as ltv,
        case when trailing_missing_rate > 0 then 'missing_rate' end as ltv_null_reason,
        case when lifetime_missing_rate = 0 then cast(lifetime_revenue as decimal(18, 4)) end as lifetime_revenue,
        case when lifetime_missing_rate > 0 then 'missing_rate' end as lifetime_revenue_null_reason,
        case
            when trailing_missing_rate = 0
                then {{ safe_divide('acquisition_cost', safe_divide('trailing_revenue', months('days_observed'))) }}
        end as cac_payback_months,
        case
            when acquisition_cost_null_reason is not null then acquisition_cost_null_reason
            when trailing_missing_rate > 0 then 'missing_rate'
            when trailing_revenue = 0 then 'zero_denominator'
        end as cac_payback_months_null_reason
    from {{ ref('int_customer_value') }}
)

select
    valued.user_id,
    valued.segment,
    valued.first_order_date,
    valued.last_order_date,
    valued.orders,
    valued.acquiring_campaign_id,
    valued.acquiring_platform,
    valued.acquiring_campaign_type,
    valued.acquisition_cost,
    valued.acquisition_cost_null_reason,
    valued.months_observed,
    valued.ltv,
    {{ metric_status('valued.ltv', 'ltv') }} as ltv_status,
    valued.ltv_null_reason,
    valued.lifetime_revenue,
    valued.lifetime_revenue_null_reason,
    cast(null as decimal(18, 4)) as predicted_revenue,
    'no_prediction' as predicted_revenue_null_reason,
    valued.cac_payback_months,
    {{ metric_status('valued.cac_payback_months', 'cac_payback_months') }} as cac_payback_months_status,
    valued.cac_payback_months_null_reason,
    {{ window_start(365) }} as period_start,
    {{ as_of_date() }} as period_end,
    {{ as_of() }} as as_of
from valued
{% for metric in metrics %}
    inner join {{ ref('metric_dictionary') }} as {{ metric }} on {{ metric }}.metric_id = '{{ metric }}'
{% endfor %}
