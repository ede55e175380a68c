{{ config(materialized='view') }}

-- What every day adds to the sums over customers. A customer is in the segment of the latest order, and changes only by
-- an order or when one falls out of a window; so nobody is looked at day by day.
{%- set year, quarter = customer_metrics().ltv.days, customer_metrics().repeat_purchase_rate.days -%}
{%- set parts = {
    'customers': 'bigint',
    'first_year_customers': 'bigint',
    'first_year_starts': 'bigint',
    'trailing_revenue': 'decimal(18, 4)',
    'trailing_missing_rate': 'bigint',
    'buyers': 'bigint',
    'repeat_buyers': 'bigint',
    'new_customers': 'bigint',
} -%}
{%- set changes = [
    {'day': 'event_date', 'segment': 'segment', 'condition': 'true', 'parts': {
        'customers': 'sum(case when is_entering then 1 else 0 end)',
        'first_year_customers': 'sum(case when is_entering and is_first_year then 1 else 0 end)',
        'first_year_starts': 'sum(case when is_entering and is_first_year then first_day else 0 end)',
        'trailing_revenue': 'sum(revenue + case when is_entering then carried_revenue else 0 end)',
        'trailing_missing_rate': 'sum(missing_rate + case when is_entering then carried_missing_rate else 0 end)',
        'buyers': 'count(*)',
        'repeat_buyers': 'sum(case when is_repeat_buyer then 1 else 0 end)',
    }},
    {'day': 'event_date', 'segment': 'previous_segment', 'condition': 'is_moving', 'parts': {
        'customers': '-count(*)',
        'first_year_customers': '-sum(case when is_first_year then 1 else 0 end)',
        'first_year_starts': '-sum(case when is_first_year then first_day else 0 end)',
        'trailing_revenue': '-sum(carried_revenue)',
        'trailing_missing_rate': '-sum(carried_missing_rate)',
    }},
    {'day': plus_days('event_date', year), 'segment': 'segment_a_year_later', 'condition': 'true', 'parts': {
        'first_year_customers': '-sum(case when previous_date is null then 1 else 0 end)',
        'first_year_starts': '-sum(case when previous_date is null then first_day else 0 end)',
        'trailing_revenue': '-sum(revenue)',
        'trailing_missing_rate': '-sum(missing_rate)',
    }},
    {'day': 'buyer_until', 'segment': 'segment', 'condition': 'true', 'parts': {
        'buyers': '-count(*)',
    }},
    {'day': 'repeat_buyer_until', 'segment': 'segment', 'condition': 'is_repeat_buyer', 'parts': {
        'repeat_buyers': '-count(*)',
    }},
    {'day': 'event_date', 'segment': 'first_segment', 'condition': 'is_acquisition', 'parts': {
        'new_customers': 'count(*)',
    }},
    {'day': plus_days('event_date', quarter), 'segment': 'first_segment', 'condition': 'is_acquisition', 'parts': {
        'new_customers': '-count(*)',
    }},
] %}

with order_days as (
    select
        user_id,
        event_date,
        {{ day_number('event_date') }} as day,
        count(*) as orders,
        coalesce(sum(order_value), 0) as revenue,
        sum(case when is_missing_rate then 1 else 0 end) as missing_rate,
        {{ last_value_by('segment', ['occurred_at', 'event_id']) }} as segment,
        max(case when is_first_order then segment end) as first_segment
    from {{ ref('int_orders') }}
    where closed_by_load_id is null and not is_repeated and event_date <= {{ as_of_date() }}
    group by user_id, event_date
),

neighbors as (
    select
        *,
        lag(event_date) over in_time as previous_date,
        lead(event_date) over in_time as next_date,
        lag(segment) over in_time as previous_segment,
        min(day) over in_time as first_day,
        last_value(segment) over (
            partition by user_id order by day range between current row and {{ year - 1 }} following
        ) as segment_a_year_later,
        sum(revenue) over in_year as year_revenue,
        sum(missing_rate) over in_year as year_missing_rate
    from order_days
    window
        in_time as (partition by user_id order by day),
        in_year as (partition by user_id order by day range between {{ year - 1 }} preceding and current row)
),

states as (
    select
        *,
        previous_date is null or previous_segment <> segment as is_entering,
        previous_segment <> segment as is_moving,
        day < first_day + {{ year }} as is_first_year,
        -- What earlier orders still bring into the year that ends with this day.
        year_revenue - revenue as carried_revenue,
        year_missing_rate - missing_rate as carried_missing_rate,
        least({{ plus_days('event_date', quarter) }}, next_date) as buyer_until,
        least({{ plus_days('second_date', quarter) }}, next_date) as repeat_buyer_until,
        coalesce({{ plus_days('second_date', quarter) }} > event_date, false) as is_repeat_buyer
    from (
        select
            *,
            case when orders >= 2 then event_date else previous_date end as second_date
        from neighbors
    ) as with_second
),

acquired as (
    select
        states.*,
        coalesce(cast(acquisitions.campaign_id as varchar), 'unknown') as campaign,
        coalesce(acquisitions.platform, 'unknown') as platform,
        coalesce(acquisitions.campaign_type, 'unknown') as campaign_type,
        acquisitions.user_id is not null and states.previous_date is null as is_acquisition
    from states
    left join {{ ref('int_acquisitions') }} as acquisitions on states.user_id = acquisitions.user_id
),

changes as (
    {% for change in changes %}
        select
            {{ change.segment }} as segment,
            campaign,
            platform,
            campaign_type,
            {% for part in parts %}
                {{ change.parts.get(part, '0') }} as {{ part }},
            {% endfor %}
            {{ change.day }} as event_date
        from acquired
        where {{ change.condition }}
        group by {{ change.segment }}, campaign, platform, campaign_type, {{ change.day }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    segment,
    campaign,
    platform,
    campaign_type,
    {% for part, type in parts.items() %}
        cast(sum({{ part }}) as {{ type }}) as {{ part }},
    {% endfor %}
    event_date
from changes
where event_date <= {{ as_of_date() }}
group by segment, campaign, platform, campaign_type, event_date
