{{ config(incremental_strategy='days', meta={'days': 'changed_contact_days'}) }}

{%- set loads = loads() -%}
{%- set days = changed_contact_days(loads) -%}
{%- set shown = held_at(loads.until) ~ ' and ' ~ in_days('event_date', days) %}

select
    campaign_id,
    segment,
    event_date,
    cast(extract(hour from occurred_at) as bigint) as hour_of_day,
    {% for name, kind in {'sent': 'sent', 'opens': 'opened', 'clicks': 'clicked', 'conversions': 'converted'}.items() %}
        cast(sum(case when kind = '{{ kind }}' then 1 else 0 end) as bigint) as {{ name }},
    {% endfor %}
    cast(sum(case when kind = 'converted' and amount is null then 1 else 0 end) as bigint) as conversions_missing_rate,
    cast(coalesce(sum(case when kind = 'converted' then amount end), 0) as decimal(18, 4)) as conversion_revenue,
    cast({{ loads.until }} as bigint) as load_id
from ({{ performance_facts(shown, 'occurred_at') }}) as facts
where kind in ('sent', 'opened', 'clicked', 'converted')
group by campaign_id, segment, event_date, extract(hour from occurred_at)
