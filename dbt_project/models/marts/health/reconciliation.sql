{{ config(incremental_strategy='whole') }}

with ours as (
    select
        campaign_id,
        {% for measure, sides in reconciled_measures().items() %}
            cast({{ sides.ours }} as decimal(18, 4)) as {{ measure }},
        {% endfor %}
        event_date
    from {{ ref('campaign_performance_daily') }}
),

reports as (
    select
        campaign_id,
        {% for measure, sides in reconciled_measures().items() %}
            count({{ sides.stated }}) as {{ measure }}_stated,
            case
                when count({{ sides.reported }}) = count({{ sides.stated }})
                    then cast(sum({{ sides.reported }}) as decimal(18, 4))
            end as {{ measure }},
        {% endfor %}
        event_date
    from {{ ref('fct_ad_spend_daily') }}
    where event_date <= {{ as_of_date() }}
    group by campaign_id, event_date
),

sides as (
    {% for measure in reconciled_measures() %}
        select
            coalesce(ours.campaign_id, reports.campaign_id) as campaign_id,
            coalesce(ours.event_date, reports.event_date) as event_date,
            '{{ measure }}' as measure,
            case when ours.campaign_id is null then 0 else ours.{{ measure }} end as ours,
            reports.{{ measure }} as reported,
            coalesce(reports.{{ measure }}_stated, 0) > 0 as is_stated
        from ours
        full outer join reports on ours.campaign_id = reports.campaign_id and ours.event_date = reports.event_date
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

-- Of a campaign and measure: whether we and the platform ever have any, and from when to when the platform states it.
spans as (
    select
        *,
        max(case when ours > 0 then 1 else 0 end) over campaign_measure = 1 as is_recorded,
        max(case when reported > 0 then 1 else 0 end) over campaign_measure = 1 as is_reported,
        min(case when is_stated then event_date end) over campaign_measure as first_stated,
        max(case when is_stated then event_date end) over campaign_measure as last_stated
    from sides
    window campaign_measure as (partition by campaign_id, measure)
),

compared as (
    select
        *,
        case
            when not is_stated then 'not_reported'
            when not is_recorded then 'not_recorded'
            when ours is null or reported is null then 'missing_rate'
        end as reason
    from spans
    where is_reported and (is_stated or ours > 0)
)

select
    compared.campaign_id,
    campaigns.name as campaign_name,
    campaigns.platform,
    compared.event_date,
    compared.measure,
    cast(case when compared.is_recorded then compared.ours end as decimal(18, 4)) as ours,
    cast(case when compared.is_stated then compared.reported end as decimal(18, 4)) as reported,
    cast(case when compared.reason is null then compared.ours - compared.reported end as decimal(18, 4)) as difference,
    case
        when compared.reason is null
            then 100 * {{ safe_divide('compared.ours - compared.reported', 'compared.reported') }}
    end as difference_percent,
    case
        when compared.reason is null
            then
                100 * abs(compared.ours - compared.reported)
                > {{ reconciliation_tolerance_percent() }} * compared.reported
        when compared.reason = 'not_reported'
            then compared.event_date > compared.first_stated and compared.event_date < compared.last_stated
        else false
    end as is_breach,
    compared.reason,
    {{ as_of() }} as as_of
from compared
left join {{ ref('dim_campaigns') }} as campaigns on compared.campaign_id = campaigns.campaign_id
