{{ config(incremental_strategy='whole') }}

with cards as (
    select
        *,
        -- An event sent twice under ids of its own is one card: its first.
        row_number() over (partition by card_kind, card_id order by occurred_at, event_id) as occurrence
    from {{ ref('int_recommendations') }}
    where event_date <= {{ as_of_date() }}
),

acted_on as (
    select
        recommendation_id,
        min(occurred_at) as implemented_at
    from {{ ref('int_marketer_actions') }}
    where recommendation_id is not null and event_date <= {{ as_of_date() }}
    group by recommendation_id
),

judged as (
    select
        cards.*,
        acted_on.implemented_at,
        case
            when acted_on.implemented_at is not null then 'implemented'
            when cards.expires_at <= {{ as_of() }} then 'expired'
            else 'open'
        end as state,
        case
            when cards.card_kind = 'anomaly' and cards.severity = 'critical' then 'urgent'
            when cards.card_kind = 'anomaly' then 'insight'
            when cards.subject = 'pause_campaign' then 'urgent'
            when cards.subject in ('increase_budget', 'decrease_budget') then 'optimize'
            when cards.subject = 'test_creative' then 'test'
            else 'segment'
        end as priority
    from cards
    left join acted_on on cards.card_id = acted_on.recommendation_id
    where cards.occurrence = 1
)

select
    row_number() over (
        partition by judged.state
        order by
            case judged.priority
                when 'urgent' then 1
                when 'optimize' then 2
                when 'test' then 3
                when 'segment' then 4
                else 5
            end,
            judged.occurred_at desc,
            judged.event_id asc
    ) as card_number,
    judged.card_id,
    judged.card_kind,
    judged.priority,
    judged.subject,
    judged.target_entity_id,
    campaigns.campaign_id,
    campaigns.name,
    campaigns.campaign_type,
    campaigns.status,
    cast(null as varchar) as likely_cause,
    'not_stated_by_event' as likely_cause_null_reason,
    judged.expected_value,
    judged.actual_value,
    judged.deviation_percent,
    judged.expected_impact,
    case when judged.expected_impact is null then 'not_stated_by_event' end as expected_impact_null_reason,
    judged.confidence_level,
    case when judged.confidence_level is null then 'not_stated_by_event' end as confidence_level_null_reason,
    judged.supporting_data,
    judged.occurred_at as recommended_at,
    judged.expires_at,
    judged.state,
    judged.implemented_at,
    {{ as_of() }} as as_of
from judged
left join {{ ref('int_campaigns') }} as campaigns on judged.target_entity_id = cast(campaigns.campaign_id as varchar)
