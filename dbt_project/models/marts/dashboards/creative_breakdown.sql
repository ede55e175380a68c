{{ config(materialized='view') }}

{%- set metrics = ['impressions', 'ctr', 'conversion_rate', 'aov', 'roas'] %}

with performance as (
    select
        breakdown_key,
        window_label,
        period_start,
        period_end,
        {% for metric in metrics %}
            max(case when metric_id = '{{ metric }}' then value end) as {{ metric }},
            max(case when metric_id = '{{ metric }}' then null_reason end) as {{ metric }}_null_reason,
            max(case when metric_id = '{{ metric }}' then status end) as {{ metric }}_status,
        {% endfor %}
        max(case when metric_id = 'aov' then denominator end) as conversions,
        max(case when metric_id = 'aov' then numerator end) as revenue,
        max(as_of) as as_of
    from {{ ref('metric_values') }}
    where
        breakdown = 'creative'
        and breakdown_key <> 'unknown'
        and period_kind = 'window'
        and metric_id in ({{ "'" ~ metrics | join("', '") ~ "'" }})
    group by breakdown_key, window_label, period_start, period_end
),

described as (
    select
        performance.*,
        creatives.headline,
        creatives.body,
        creatives.cta,
        creatives.campaign_id
    from performance
    left join {{ ref('dim_creatives') }} as creatives
        on performance.breakdown_key = cast(creatives.creative_id as varchar)
),

ranked as (
    select
        *,
        row_number() over (
            partition by campaign_id, window_label order by revenue desc nulls last, impressions desc, breakdown_key asc
        ) as creative_number,
        row_number() over (
            partition by campaign_id, window_label order by ctr desc nulls last, breakdown_key asc
        ) as ctr_rank
    from described
)

select
    ranked.campaign_id,
    campaigns.name,
    campaigns.campaign_type,
    campaigns.status,
    ranked.window_label,
    ranked.period_start,
    ranked.period_end,
    ranked.creative_number,
    cast(ranked.breakdown_key as {{ uuid_type() }}) as creative_id,
    ranked.headline,
    ranked.body,
    ranked.cta,
    cast(ranked.impressions as bigint) as impressions,
    ranked.ctr,
    ranked.ctr_null_reason,
    cast(ranked.conversions as bigint) as conversions,
    ranked.conversion_rate,
    ranked.conversion_rate_null_reason,
    cast(ranked.revenue as decimal(18, 4)) as revenue,
    ranked.roas,
    ranked.roas_null_reason,
    case
        when ranked.roas_status = 'below' then 'low_roas'
        when ranked.conversion_rate_status = 'below' then 'low_conversion_rate'
        when ranked.ctr_rank = 1 and ranked.ctr > 0 then 'best_ctr'
    end as note,
    ranked.as_of
from ranked
left join {{ ref('dim_campaigns') }} as campaigns on ranked.campaign_id = campaigns.campaign_id
