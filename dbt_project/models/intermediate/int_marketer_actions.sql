{{ config(materialized='view') }}

{%- set actions = {
    'stg_campaign_created': {
        'action': 'create', 'segments': 'target_segment_id', 'amount': 'initial_budget', 'status': "'draft'",
    },
    'stg_campaign_launched': {'action': 'launch', 'amount': 'budget_approved', 'status': "'active'"},
    'stg_campaign_paused': {'action': 'pause', 'reason': 'pause_reason', 'status': "'paused'"},
    'stg_budget_reallocated': {
        'action': 'adjust_budget', 'campaign': 'to_campaign_id', 'from_campaign': 'from_campaign_id',
        'amount': 'amount', 'currency': 'currency', 'reason': 'reallocation_reason', 'recommendation': 'ai_recommendation_id',
    },
    'stg_creative_variant_tested': {'action': 'test_creative', 'marketer': 'user_id'},
} -%}

-- What marketers did to campaigns, one row per event; moved budget belongs to the campaign that received it.
with actions as (
    {% for model, columns in actions.items() %}
        select
            event_id,
            occurred_at,
            event_date,
            {{ columns.get('marketer', 'coalesce(marketer_id, user_id)') }} as marketer_id,
            '{{ columns.action }}' as action,
            {{ columns.get('campaign', 'campaign_id') }} as campaign_id,
            {{ columns.get('from_campaign', 'cast(null as ' ~ uuid_type() ~ ')') }} as from_campaign_id,
            {{ columns.get('segments', 'cast(null as varchar)') }} as target_segment,
            {{ columns.get('amount', 'cast(null as decimal(18, 4))') }} as amount,
            {{ columns.get('currency', 'cast(null as varchar)') }} as currency,
            {{ columns.get('reason', 'cast(null as varchar)') }} as action_reason,
            {{ columns.get('recommendation', 'cast(null as ' ~ uuid_type() ~ ')') }} as recommendation_id,
            {{ columns.get('status', 'cast(null as varchar)') }} as status_after
        from {{ ref(model) }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

-- The role in which someone last opened the dashboard.
roles as (
    select
        user_id,
        {{ last_value_by('user_role', ['occurred_at', 'event_id'], 'user_role is not null') }} as user_role
    from {{ ref('stg_dashboard_accessed') }}
    where event_date <= {{ as_of_date() }}
    group by user_id
)

select
    actions.*,
    roles.user_role
from actions
left join roles on actions.marketer_id = roles.user_id
