"""Checks of ``marts.payback_curve``: cohorts are made of customers, and groups of campaigns sum to the whole."""

from __future__ import annotations

from quality.checks import RowsCheck, Suite

SUITE = Suite(
    table="marts.payback_curve",
    keys=("breakdown", "breakdown_key", "acquisition_month", "month_number"),
    checks=(
        RowsCheck(
            name="acquired_customers_are_in_cohorts",
            description="The customers of a month's cohorts are those acquired at a cost in that month, in every breakdown.",
            query="""
                with acquired as (
                    select
                        breakdown, date_trunc('month', first_order_date)::date as acquisition_month,
                        count(*) as acquired
                    from lake.marts.customer_value
                    cross join unnest(['overall', 'campaign', 'platform', 'campaign_type']) as breakdowns(breakdown)
                    where coalesce(acquisition_cost_null_reason, 'missing_rate') = 'missing_rate'
                    group by breakdown, acquisition_month
                ),
                cohorts as (
                    select breakdown, acquisition_month, sum(customers) as customers
                    from batch where month_number = 1 group by breakdown, acquisition_month
                )
                select breakdown, acquisition_month, acquired, customers
                from acquired full join cohorts using (breakdown, acquisition_month)
                where acquired is distinct from customers
            """,
        ),
        RowsCheck(
            name="curves_have_no_gap",
            description="A curve has one row for every month up to its last.",
            query="""
                select breakdown, breakdown_key, acquisition_month, count(*) as months, max(month_number) as last_month
                from batch group by breakdown, breakdown_key, acquisition_month
                having months <> last_month
            """,
        ),
    ),
)
