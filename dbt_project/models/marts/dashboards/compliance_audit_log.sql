{{ config(incremental_strategy='whole') }}

with actions as (
    select * from {{ ref('int_marketer_actions') }}
    where event_date <= {{ as_of_date() }}
)

select
    actions.event_id,
    actions.occurred_at as performed_at,
    actions.event_date,
    actions.marketer_id,
    actions.user_role,
    case when actions.user_role is null then 'no_role_recorded' end as user_role_null_reason,
    actions.action,
    actions.action_reason,
    actions.amount,
    actions.currency,
    actions.campaign_id,
    campaigns.name,
    campaigns.campaign_type,
    campaigns.status,
    coalesce(actions.target_segment, campaigns.target_segment) as target_segment,
    cast(null as double) as consent_percent,
    'no_consent_check_recorded' as consent_percent_null_reason,
    actions.status_after,
    case when actions.status_after is null then 'unchanged_by_action' end as status_after_null_reason,
    {{ as_of() }} as as_of
from actions
left join {{ ref('int_campaigns') }} as campaigns on actions.campaign_id = campaigns.campaign_id
