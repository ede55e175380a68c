{{ config(incremental_strategy='whole') }}

select
    signup_month,
    span,
    period_start,
    period_end,
    customers,
    retained_customers,
    first_order_customers,
    cohort_retention,
    cohort_retention_null_reason,
    first_order_percent,
    first_order_percent_null_reason,
    as_of
from {{ ref('int_cohort_retention') }}
