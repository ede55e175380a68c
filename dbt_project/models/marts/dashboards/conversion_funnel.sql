{{ config(incremental_strategy='whole') }}

{%- set groups = {'overall': none, 'campaign': 'campaign_id', 'segment': 'segment'} -%}
{%- set steps = ['impression', 'click', 'visit', 'cart', 'purchase'] -%}
{%- set shown = 'closed_by_load_id is null and event_date <= ' ~ as_of_date() %}

with windows as (
    select * from {{ ref('int_windows') }}
),

facts as (
    select * from ({{ performance_facts(shown, 'occurred_at') }}) as facts
    where kind in ('sent', 'opened', 'clicked', 'converted')
),

visits as (
    select * from {{ ref('int_shop_visits') }}
    where event_date <= {{ as_of_date() }}
),

-- Of a user of a group and day: when first clicked, when last bought. Being shown is implied by what follows it.
user_days as (
    {% for breakdown, column in groups.items() %}
        select
            '{{ breakdown }}' as breakdown,
            {{ breakdown_key(column) }} as breakdown_key,
            user_id,
            event_date,
            max(case when kind = 'sent' then 1 else 0 end) as was_sent,
            max(case when kind <> 'converted' then 1 else 0 end) as was_shown,
            min(case when kind = 'clicked' then occurred_at end) as clicked_at,
            max(case when kind = 'converted' then occurred_at end) as purchased_at
        from facts
        group by {{ column ~ ', ' if column is not none }}user_id, event_date
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

users as (
    select
        user_days.breakdown,
        user_days.breakdown_key,
        windows.window_label,
        user_days.user_id,
        max(user_days.was_sent) as was_sent,
        max(user_days.was_shown) as was_shown,
        min(user_days.clicked_at) as clicked_at,
        max(user_days.purchased_at) as purchased_at
    from user_days
    inner join windows on user_days.event_date >= windows.period_start and user_days.event_date <= windows.period_end
    group by user_days.breakdown, user_days.breakdown_key, windows.window_label, user_days.user_id
),

-- What followed each click within the look-back, once per user and instant: groups and windows share their clicks.
clicks as (
    select distinct
        user_id,
        clicked_at
    from users
    where clicked_at is not null
),

first_visits as (
    select
        clicks.user_id,
        clicks.clicked_at,
        min(case when visits.action = 'visited' then visits.occurred_at end) as visited_at,
        max(case when visits.action = 'filled_cart' then visits.occurred_at end) as last_cart_at
    from clicks
    inner join visits
        on
            clicks.user_id = visits.user_id
            and clicks.clicked_at <= visits.occurred_at
            and {{ plus_seconds('clicks.clicked_at', lookback_seconds()) }} >= visits.occurred_at
    group by clicks.user_id, clicks.clicked_at
),

first_carts as (
    select
        first_visits.user_id,
        first_visits.clicked_at,
        min(visits.occurred_at) as filled_cart_at
    from first_visits
    inner join visits
        on
            first_visits.user_id = visits.user_id
            and first_visits.visited_at <= visits.occurred_at
            and first_visits.last_cart_at >= visits.occurred_at
    where visits.action = 'filled_cart'
    group by first_visits.user_id, first_visits.clicked_at
),

paths as (
    select
        users.*,
        first_visits.visited_at,
        first_visits.last_cart_at,
        first_carts.filled_cart_at
    from users
    left join first_visits on users.user_id = first_visits.user_id and users.clicked_at = first_visits.clicked_at
    left join first_carts on users.user_id = first_carts.user_id and users.clicked_at = first_carts.clicked_at
),

sums as (
    select
        breakdown,
        breakdown_key,
        window_label,
        max(was_sent) as was_sent,
        sum(was_shown) as impression_users,
        sum(was_shown) as impression_users_at_step,
        count(clicked_at) as click_users,
        count(clicked_at) as click_users_at_step,
        count(visited_at) as visit_users,
        count(visited_at) as visit_users_at_step,
        count(filled_cart_at) as cart_users,
        count(last_cart_at) as cart_users_at_step,
        sum(case when purchased_at >= filled_cart_at then 1 else 0 end) as purchase_users,
        count(purchased_at) as purchase_users_at_step
    from paths
    group by breakdown, breakdown_key, window_label
),

steps as (
    {% for step in steps %}
        select
            breakdown,
            breakdown_key,
            window_label,
            {{ loop.index }} as step_number,
            '{{ step }}' as step,
            {% if step == 'impression' %}
                case when was_sent = 1 then impression_users end as users,
                case when was_sent = 1 then impression_users_at_step end as users_at_step,
            {% else %}
                {{ step }}_users as users,
                {{ step }}_users_at_step as users_at_step,
            {% endif %}
            {% if loop.first %}
                cast(null as bigint) as previous_users,
            {% elif loop.index == 2 %}
                case when was_sent = 1 then impression_users end as previous_users,
            {% else %}
                {{ steps[loop.index0 - 1] }}_users as previous_users,
            {% endif %}
            click_users
        from sums
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

performance as (
    select * from {{ ref('int_performance') }}
    where period_kind = 'window'
)

select
    steps.breakdown,
    steps.breakdown_key,
    campaigns.name,
    campaigns.campaign_type,
    campaigns.status,
    steps.window_label,
    performance.period_start,
    performance.period_end,
    cast(steps.step_number as bigint) as step_number,
    steps.step,
    cast(steps.users as bigint) as users,
    case when steps.users is null then 'impressions_without_users' end as users_null_reason,
    cast(steps.users_at_step as bigint) as users_at_step,
    case steps.step
        when 'impression' then performance.impressions
        when 'click' then performance.clicks
        when 'purchase' then performance.conversions
    end as events,
    100 * {{ safe_divide('steps.users', 'steps.previous_users') }} as percent_of_previous,
    case
        when steps.step_number = 1 then 'first_step'
        when steps.previous_users is null then 'impressions_without_users'
        when steps.previous_users = 0 then 'zero_denominator'
    end as percent_of_previous_null_reason,
    case when steps.step_number > 1 then 100 * {{ safe_divide('steps.users', 'steps.click_users') }} end
        as percent_of_clicks,
    case
        when steps.step_number = 1 then 'first_step'
        when steps.click_users = 0 then 'zero_denominator'
    end as percent_of_clicks_null_reason,
    performance.revenue,
    {{ safe_divide('performance.revenue', 'performance.conversions') }} as aov,
    case
        when performance.conversions = 0 then 'zero_denominator'
        when performance.revenue is null then 'missing_rate'
    end as aov_null_reason,
    {{ as_of() }} as as_of
from steps
inner join performance
    on
        steps.breakdown = performance.breakdown
        and steps.breakdown_key = performance.breakdown_key
        and steps.window_label = performance.window_label
left join {{ ref('int_campaigns') }} as campaigns on steps.breakdown_key = cast(campaigns.campaign_id as varchar)
