{{ config(incremental_strategy='whole') }}

-- Lines of event files by the day on which they came in.
with days as (
    select
        cast(ingested_at as date) as ingested_date,
        sum(lines) as lines,
        sum(accepted) as accepted,
        sum(duplicates) as duplicates,
        sum(rejected) as rejected,
        sum(filtered) as filtered
    from {{ source('ops', 'load_log') }}
    where target = 'events' and status = 'loaded' and ingested_at <= {{ as_of() }}
    group by cast(ingested_at as date)
)

select
    ingested_date,
    {% for name in ['lines', 'accepted', 'duplicates', 'rejected', 'filtered'] %}
        cast({{ name }} as bigint) as {{ name }},
    {% endfor %}
    100 * {{ safe_divide('lines - filtered - rejected', 'lines - filtered') }} as valid_percent,
    case when lines = filtered then 'zero_denominator' end as valid_percent_null_reason,
    {{ as_of() }} as as_of
from days
