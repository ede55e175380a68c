"""Checks of ``marts.cohort_retention``: cohorts are made of customers, and whoever has ordered stays so."""

from __future__ import annotations

from quality.checks import RowsCheck, Suite

SUITE = Suite(
    table="marts.cohort_retention",
    keys=("signup_month", "span"),
    checks=(
        RowsCheck(
            name="signups_are_in_cohorts",
            description="The customers of a cohort are those who signed up in its month.",
            query="""
                with signups as (
                    select date_trunc('month', signup_date)::date as signup_month, count(*) as signups
                    from lake.marts.dim_customers
                    where signup_date <= getvariable('as_of')::date
                    group by signup_month
                )
                select signup_month, span, signups, customers
                from signups full join batch using (signup_month)
                where signups is distinct from customers
            """,
        ),
        RowsCheck(
            name="first_orders_accumulate",
            description="Whoever had the first order within 30 days had it within 60 and 90.",
            query="""
                with spans as (
                    select
                        signup_month, span, first_order_customers,
                        lag(first_order_customers) over (partition by signup_month order by period_end) as shorter
                    from batch
                )
                select signup_month, span, first_order_customers, shorter
                from spans where first_order_customers < shorter
            """,
        ),
    ),
)
