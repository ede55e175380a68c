{{ config(materialized='view') }}

-- What the nightly job computes, as rows of metric_values, which a landing batch copies as they are. A view between
-- both, so that the batch's models do not wait for those of the night.
{%- set metrics = {
    'incrementality_percent': ['incremental_conversions', 'treatment_converted'],
    'holdout_lift_pp': ['incremental_conversions', 'treatment_users'],
    'net_incremental_revenue': ['net_incremental_revenue', 'null'],
} %}

{% for name, metric in customer_metrics().items() %}
    {%- for period_kind, days in {'window': metric.days, 'daily': 1}.items() %}
        select
            '{{ name }}' as metric_id,
            breakdown,
            breakdown_key,
            '{{ period_kind }}' as period_kind,
            '{{ metric.days ~ 'd' if period_kind == 'window' else 'day' }}' as window_label,
            {{ window_start(days, 'event_date') }} as period_start,
            event_date as period_end,
            {{ name }}_numerator as numerator,
            {{ name }}_denominator as denominator,
            {{ name }}_value as value,
            {{ name }}_null_reason as null_reason,
            {% if metric.is_share %}
                {{ share_half_width(name ~ '_numerator', name ~ '_denominator') }} as half_width,
            {% else %}
                cast(null as double) as half_width,
            {% endif %}
            as_of
        from {{ ref('int_customer_economics') }}
        where
            {% if period_kind == 'window' %}
                event_date = cast(as_of as date)
            {% else %}
                event_date <= {{ as_of_date() }}
                and coalesce({{ name }}_null_reason, '') <> 'input_not_available_for_breakdown'
            {% endif %}
        union all
    {% endfor %}
{% endfor %}
select
    'cohort_retention' as metric_id,
    'cohort' as breakdown,
    substr(cast(signup_month as varchar), 1, 7) as breakdown_key,
    'cohort' as period_kind,
    span as window_label,
    period_start,
    period_end,
    cast(retained_customers as double) as numerator,
    cast(customers as double) as denominator,
    cohort_retention as value,
    cohort_retention_null_reason as null_reason,
    {{ share_half_width('retained_customers', 'customers') }} as half_width,
    as_of
from {{ ref('int_cohort_retention') }}
union all
select
    'data_freshness_minutes' as metric_id,
    case when event_type = 'all' then 'overall' else 'event_type' end as breakdown,
    event_type as breakdown_key,
    'window' as period_kind,
    window_label,
    period_start,
    period_end,
    p95_lag_minutes as numerator,
    cast(null as double) as denominator,
    p95_lag_minutes as value,
    null_reason,
    cast(null as double) as half_width,
    as_of
from {{ ref('data_freshness_windows') }}
union all
{% for metric, parts in metrics.items() %}
    select
        '{{ metric }}' as metric_id,
        breakdown,
        breakdown_key,
        period_kind,
        window_label,
        period_start,
        period_end,
        case when {{ metric }} is not null then cast({{ parts[0] }} as double) end as numerator,
        cast({{ parts[1] }} as double) as denominator,
        {{ metric }} as value,
        {{ metric }}_null_reason as null_reason,
        ({{ metric }}_high - {{ metric }}_low) / 2 as half_width,
        as_of
    from {{ ref('int_incrementality') }}
    union all
{% endfor %}
select
    'attributed_revenue' as metric_id,
    breakdown,
    breakdown_key,
    'window' as period_kind,
    window_label,
    period_start,
    period_end,
    revenue_range as numerator,
    mean_revenue as denominator,
    spread_percent as value,
    spread_null_reason as null_reason,
    cast(null as double) as half_width,
    as_of
from {{ ref('attribution_revenue') }}
where breakdown_key <> 'unattributed'
union all
select
    'attributed_revenue' as metric_id,
    breakdown,
    breakdown_key,
    'daily' as period_kind,
    'day' as window_label,
    event_date as period_start,
    event_date as period_end,
    revenue_range as numerator,
    mean_revenue as denominator,
    spread_percent as value,
    spread_null_reason as null_reason,
    cast(null as double) as half_width,
    {{ as_of() }} as as_of
from {{ ref('attribution_revenue_daily') }}
where breakdown_key <> 'unattributed' and event_date <= {{ as_of_date() }}
union all
{%- set periods = [
    {'kind': 'window', 'label': 'newest', 'condition': 'is_newest', 'end': 'as_of', 'start': 'coalesce(tested_from, as_of)'},
    {'kind': 'daily', 'label': 'day', 'condition': 'is_last_of_day', 'end': 'evaluated_at', 'start': 'evaluated_at'},
] %}
{% for breakdown, key, condition in [('model', 'model_kind', 'true'), ('overall', "'all'", "model_kind = 'uplift'")] %}
    {%- set is_last = loop.last %}
    {%- for period in periods %}
        select
            'model_auc' as metric_id,
            '{{ breakdown }}' as breakdown,
            {{ key }} as breakdown_key,
            '{{ period.kind }}' as period_kind,
            '{{ period.label }}' as window_label,
            cast({{ period.start }} as date) as period_start,
            cast({{ period.end }} as date) as period_end,
            auc as numerator,
            cast(null as double) as denominator,
            auc as value,
            auc_null_reason as null_reason,
            (auc_high - auc_low) / 2 as half_width,
            as_of
        from {{ ref('model_evaluations') }}
        where {{ period.condition }} and {{ condition }}
        {{ 'union all' if not (is_last and loop.last) }}
    {% endfor %}
{% endfor %}
