{{ config(materialized='view') }}

-- By group, on every day with reported spend and on that of as_of: the budgets of its active and completed campaigns,
-- and what these have spent up to that day.
with budgets as (
    select
        campaign_id,
        platform,
        campaign_type,
        base_budget as budget
    from {{ ref('int_campaigns') }}
    where status in ('active', 'completed') and budget is not null
),

spend as (
    select
        budgets.campaign_id,
        budgets.platform,
        budgets.campaign_type,
        spend.event_date,
        spend.spend
    from budgets
    inner join {{ ref('int_ad_spend') }} as spend on budgets.campaign_id = spend.campaign_id
    where spend.stated_spend is not null and spend.event_date <= {{ as_of_date() }}
),

group_budgets as (
    {% for breakdown, column in breakdowns().items() if breakdown not in breakdowns_without_spend() %}
        select
            '{{ breakdown }}' as breakdown,
            {{ breakdown_key(column) }} as breakdown_key,
            sum(budget) as budget,
            count(*) - count(budget) as budgets_missing_rate
        from budgets
        {{ 'group by ' ~ column if column is not none else 'having count(*) > 0' }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

group_spend as (
    {% for breakdown, column in breakdowns().items() if breakdown not in breakdowns_without_spend() %}
        select
            '{{ breakdown }}' as breakdown,
            {{ breakdown_key(column) }} as breakdown_key,
            event_date,
            spend,
            1 as reports,
            case when spend is null then 1 else 0 end as missing_rate
        from spend
        union all
    {% endfor %}
    select
        breakdown,
        breakdown_key,
        event_date,
        0 as spend,
        0 as reports,
        0 as missing_rate
    from {{ ref('int_spend_parts') }}
    where spend_reports > 0
    union all
    select
        breakdown,
        breakdown_key,
        {{ as_of_date() }} as event_date,
        0 as spend,
        0 as reports,
        0 as missing_rate
    from group_budgets
),

days as (
    select
        breakdown,
        breakdown_key,
        event_date,
        coalesce(sum(spend), 0) as spend,
        sum(reports) as reports,
        sum(missing_rate) as missing_rate
    from group_spend
    group by breakdown, breakdown_key, event_date
),

to_date as (
    select
        breakdown,
        breakdown_key,
        event_date,
        sum(spend) over until_day as spend,
        sum(reports) over until_day as reports,
        sum(missing_rate) over until_day as missing_rate
    from days
    window until_day as (
        partition by breakdown, breakdown_key order by event_date rows between unbounded preceding and current row
    )
)

select
    to_date.breakdown,
    to_date.breakdown_key,
    to_date.event_date,
    case when group_budgets.budgets_missing_rate = 0 then cast(group_budgets.budget as decimal(18, 4)) end as budget,
    case when to_date.missing_rate = 0 then cast(to_date.spend as decimal(18, 4)) end as budget_spend,
    case
        when group_budgets.breakdown is null then 'no_budget'
        when to_date.reports = 0 then 'no_spend_reported'
    end as budget_gap
from to_date
left join group_budgets
    on to_date.breakdown = group_budgets.breakdown and to_date.breakdown_key = group_budgets.breakdown_key
