{{ config(incremental_strategy='whole') }}

with kinds as (
    {% for kind in model_kinds() %}
        select '{{ kind }}' as kind
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

evaluations as (
    select
        *,
        row_number() over (partition by kind order by as_of desc) as age,
        row_number() over (partition by kind, cast(as_of as date) order by as_of desc) as age_of_day
    from {{ source('models', 'model_evaluations') }}
    where as_of <= {{ as_of() }}
)

select
    kinds.kind as model_kind,
    evaluations.as_of as evaluated_at,
    coalesce(evaluations.age = 1, true) as is_newest,
    coalesce(evaluations.age_of_day = 1, false) as is_last_of_day,
    evaluations.model_id,
    evaluations.tested_from,
    evaluations.tested_until,
    evaluations.cases,
    evaluations.auc,
    evaluations.auc_low,
    evaluations.auc_high,
    case
        when evaluations.kind is null then 'not_computed_yet' else evaluations.null_reason
    end as auc_null_reason,
    {{ metric_status('evaluations.auc') }} as status,
    evaluations.precision_score,
    evaluations.recall_score,
    evaluations.f1_score,
    evaluations.qini,
    evaluations.details,
    {{ as_of() }} as as_of
from kinds
left join evaluations on kinds.kind = evaluations.kind
inner join {{ ref('metric_dictionary') }} as dictionary on dictionary.metric_id = 'model_auc'
