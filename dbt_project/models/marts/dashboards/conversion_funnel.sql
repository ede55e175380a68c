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

-- All windows end with the same day: a user's last day tells in which of them something happened at all.
users as (
    select
        breakdown,
        breakdown_key,
        user_id,
        max(case when was_sent = 1 then event_date end) as last_sent,
        max(case when was_shown = 1 then event_date end) as last_shown,
        max(case when purchased_at is not null then event_date end) as last_bought,
        max(purchased_at) as purchased_at
    from user_days
    group by breakdown, breakdown_key, user_id
),

-- A click is the first of the windows that begin after the user's day of clicks before it.
click_days as (
    select
        breakdown,
        breakdown_key,
        user_id,
        event_date,
        clicked_at,
        lag(event_date) over (partition by breakdown, breakdown_key, user_id order by event_date) as previous_date
    from user_days
    where clicked_at is not null
),

-- What followed each click within the look-back, once per user and instant: groups share their clicks.
clicks as (
    select distinct
        user_id,
        clicked_at
    from click_days
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
        click_days.*,
        users.purchased_at,
        first_visits.visited_at,
        first_visits.last_cart_at,
        first_carts.filled_cart_at
    from click_days
    inner join users
        on
            click_days.breakdown = users.breakdown
            and click_days.breakdown_key = users.breakdown_key
            and click_days.user_id = users.user_id
    left join first_visits
        on click_days.user_id = first_visits.user_id and click_days.clicked_at = first_visits.clicked_at
    left join first_carts
        on click_days.user_id = first_carts.user_id and click_days.clicked_at = first_carts.clicked_at
),

-- Users by the windows that they count in: those that hold event_date and begin after previous_date.
counted as (
    {% for day, name in {'last_sent': 'sent', 'last_shown': 'impression', 'last_bought': 'purchase'}.items() %}
        select
            breakdown,
            breakdown_key,
            {{ day }} as event_date,
            cast(null as date) as previous_date,
            '{{ name }}' as step,
            {{ 'count(*)' if name == 'impression' else '0' }} as users,
            count(*) as users_at_step
        from users
        where {{ day }} is not null
        group by breakdown, breakdown_key, {{ day }}
        union all
    {% endfor %}
    {% for step, conditions in {
        'click': ['clicked_at is not null', 'clicked_at is not null'],
        'visit': ['visited_at is not null', 'visited_at is not null'],
        'cart': ['filled_cart_at is not null', 'last_cart_at is not null'],
        'purchase': ['purchased_at >= filled_cart_at', 'false'],
    }.items() %}
        select
            breakdown,
            breakdown_key,
            event_date,
            previous_date,
            '{{ step }}' as step,
            sum(case when {{ conditions[0] }} then 1 else 0 end) as users,
            sum(case when {{ conditions[1] }} then 1 else 0 end) as users_at_step
        from paths
        group by breakdown, breakdown_key, event_date, previous_date
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

sums as (
    select
        counted.breakdown,
        counted.breakdown_key,
        windows.window_label,
        {% for step in steps %}
            {% for who in ['users', 'users_at_step'] %}
                sum(case when counted.step = '{{ step }}' then counted.{{ who }} else 0 end) as {{ step }}_{{ who }},
            {% endfor %}
        {% endfor %}
        max(case when counted.step = 'sent' then 1 else 0 end) as was_sent
    from counted
    inner join windows
        on
            counted.event_date >= windows.period_start
            and counted.event_date <= windows.period_end
            and (counted.previous_date is null or counted.previous_date < windows.period_start)
    group by counted.breakdown, counted.breakdown_key, windows.window_label
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
