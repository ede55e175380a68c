{{ config(materialized='view') }}

-- Hours from a user's first impression of a campaign to the first conversion after it, in each group of the conversion.
select
    groups.breakdown,
    case groups.breakdown
        {% for breakdown, column in breakdowns().items() %}
            when '{{ breakdown }}' then {{ breakdown_key(column) }}
        {% endfor %}
    end as breakdown_key,
    conversions.event_date,
    conversions.hours_to_conversion
from {{ ref('int_conversions') }} as conversions
cross join (
    values
    {% for breakdown in breakdowns() %}
        ('{{ breakdown }}'){{ ',' if not loop.last }}
    {% endfor %}
) as groups (breakdown)
where
    conversions.closed_by_load_id is null
    and conversions.hours_to_conversion is not null
    and conversions.event_date <= {{ as_of_date() }}
