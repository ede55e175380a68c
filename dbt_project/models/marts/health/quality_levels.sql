{{ config(incremental_strategy='whole') }}

with loaded as (
    select
        *,
        cast(ingested_at as date) as load_date,
        1 as files,
        0 as failed_files
    from {{ ref('int_load_quality') }}
),

-- A file that can't be read is tried by every run until it is mended.
failures as (
    select distinct
        failed.target,
        failed.source_file,
        cast(failed.ingested_at as date) as load_date
    from {{ source('ops', 'load_log') }} as failed
    left join loaded
        on
            failed.source_file = loaded.source_file
            and failed.target = loaded.target
            and cast(failed.ingested_at as date) = loaded.load_date
    where failed.status = 'failed' and loaded.load_id is null
),

attempts as (
    select
        load_id,
        target,
        source_file,
        load_date,
        ingested_at,
        files,
        failed_files,
        lines,
        accepted,
        late_lines,
        duplicate_lines,
        rejected_lines,
        off_schema_lines,
        newest_event_at
    from loaded
    union all
    select
        null as load_id,
        target,
        source_file,
        load_date,
        null as ingested_at,
        1 as files,
        1 as failed_files,
        0 as lines,
        0 as accepted,
        0 as late_lines,
        0 as duplicate_lines,
        0 as rejected_lines,
        0 as off_schema_lines,
        null as newest_event_at
    from failures
),

counts as (
    select
        'load' as grain,
        *
    from attempts
    union all
    select
        'day' as grain,
        null as load_id,
        target,
        null as source_file,
        load_date,
        max(ingested_at) as ingested_at,
        sum(files) as files,
        sum(failed_files) as failed_files,
        sum(lines) as lines,
        sum(accepted) as accepted,
        sum(late_lines) as late_lines,
        sum(duplicate_lines) as duplicate_lines,
        sum(rejected_lines) as rejected_lines,
        sum(off_schema_lines) as off_schema_lines,
        max(newest_event_at) as newest_event_at
    from attempts
    group by target, load_date
),

measured as (
    select
        counts.*,
        100 * {{ safe_divide('counts.files - counts.failed_files', 'counts.files') }} as ingestion_percent,
        100 * {{ safe_divide('counts.lines - counts.rejected_lines', 'counts.lines') }} as validation_percent,
        100 * {{ safe_divide('counts.lines - counts.off_schema_lines', 'counts.lines') }} as schema_percent,
        -- Reference inputs repeat what was delivered before, by nature.
        case when counts.target = 'events' then 100 * {{ safe_divide('counts.duplicate_lines', 'counts.lines') }} end
            as duplicate_percent,
        100 * {{ safe_divide('counts.late_lines', 'counts.accepted') }} as late_percent,
        60 * {{ hours_between('counts.newest_event_at', 'counts.ingested_at') }} as freshness_minutes,
        freshness.completeness_percent
    from counts
    left join {{ ref('data_freshness') }} as freshness
        on
            counts.grain = 'day'
            and counts.target = 'events'
            and freshness.event_type = 'all'
            and counts.load_date = freshness.event_date
            and freshness.event_date < {{ as_of_date() }}
)

select
    grain,
    target,
    load_date,
    cast(load_id as bigint) as load_id,
    source_file,
    cast(files as bigint) as files,
    cast(lines as bigint) as lines,
    ingestion_percent,
    validation_percent,
    schema_percent,
    duplicate_percent,
    late_percent,
    freshness_minutes,
    completeness_percent,
    case
        {% for level, limits in quality_limits().items() %}
            {% for measure, limit in limits.items() %}
                when {{ passes_limit(measure, limit) }} then '{{ level }}'
            {% endfor %}
        {% endfor %}
        else 'ok'
    end as level,
    nullif(concat_ws(
        ', ',
        {% for limits in quality_limits().values() %}
            {% for measure, limit in limits.items() %}
                case when {{ passes_limit(measure, limit) }} then '{{ measure }}' end,
            {% endfor %}
        {% endfor %}
        null
    ), '') as reason,
    {{ as_of() }} as as_of
from measured
