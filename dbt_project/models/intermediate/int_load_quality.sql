{{ config(incremental_strategy='keys', unique_key=['load_id']) }}

-- What became of the lines of each load. A load is never changed, so each is looked at once; one without lines (days
-- that are computed again, an erasure) brought nothing to judge.
{%- set loads = loads() %}

with off_schema as (
    select
        load_id,
        count(*) as off_schema_lines
    from {{ source('raw', 'quarantine') }}
    where
        {{ is_new(loads) }}
        and (
            {% for reason in schema_reasons() -%}
                {{ in_list('reasons', "'" ~ reason ~ "'") }}{{ ' or ' if not loop.last }}
            {%- endfor %}
        )
    group by load_id
)

select
    log.load_id,
    log.target,
    log.source_file,
    log.ingested_at,
    log.lines - log.filtered as lines,
    log.accepted,
    log.late as late_lines,
    log.duplicates as duplicate_lines,
    log.rejected as rejected_lines,
    coalesce(off_schema.off_schema_lines, 0) as off_schema_lines,
    log.max_timestamp as newest_event_at
from {{ source('ops', 'load_log') }} as log
left join off_schema on log.load_id = off_schema.load_id
where log.status = 'loaded' and log.lines > 0 and {{ is_new(loads, 'log') }}
