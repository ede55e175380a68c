{{ config(incremental_strategy='whole') }}

select
    incrementality.breakdown,
    incrementality.breakdown_key,
    campaigns.name as campaign_name,
    incrementality.period_kind,
    incrementality.window_label,
    incrementality.period_start,
    incrementality.period_end,
    incrementality.campaigns,
    incrementality.treatment_users,
    incrementality.treatment_converted,
    cast(incrementality.treatment_revenue as decimal(18, 4)) as treatment_revenue,
    incrementality.holdout_users,
    incrementality.holdout_converted,
    cast(incrementality.holdout_revenue as decimal(18, 4)) as holdout_revenue,
    incrementality.both_arms_users,
    incrementality.sample_ratio_p_value,
    incrementality.average_order_value,
    cast(incrementality.spend as decimal(18, 4)) as spend,
    incrementality.expected_conversions,
    incrementality.incremental_conversions,
    {%- for name in ['incrementality_percent', 'holdout_lift_pp', 'relative_lift_percent', 'net_incremental_revenue'] %}
        incrementality.{{ name }},
        incrementality.{{ name }}_low,
        incrementality.{{ name }}_high,
        incrementality.{{ name }}_null_reason,
    {%- endfor %}
    incrementality.p_value,
    incrementality.z_test_p_value,
    incrementality.relative_lift_p_value,
    incrementality.net_incremental_revenue_p_value,
    incrementality.as_of
from {{ ref('int_incrementality') }} as incrementality
left join {{ ref('dim_campaigns') }} as campaigns
    on incrementality.breakdown_key = cast(campaigns.campaign_id as varchar)
