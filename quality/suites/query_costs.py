"""Checks of ``marts.query_costs``: it counts every query once, whatever they are grouped by."""

from __future__ import annotations

from quality.checks import RowsCheck, Suite

SUITE = Suite(
    table="marts.query_costs",
    keys=("breakdown", "breakdown_key", "period_kind", "period_start"),
    checks=(
        RowsCheck(
            name="has_every_query",
            description="The queries of all days are those that were taken in and begun by the instant of the run.",
            query="""
                with taken as (
                    select coalesce(least(started_at, valid_from), valid_from)::date as period_start, count(*) as taken
                    from lake.raw.query_costs
                    where valid_to is null
                        and coalesce(least(started_at, valid_from), valid_from) <= getvariable('as_of')
                    group by all
                ),
                days as (
                    select period_start, queries from batch where breakdown = 'overall' and period_kind = 'daily'
                )
                select period_start, taken, queries
                from taken full join days using (period_start)
                where taken is distinct from queries
            """,
        ),
        RowsCheck(
            name="groups_sum_to_the_whole",
            description="Engines, and the queries by name, have all queries and all costs.",
            query="""
                with sums as (
                    select
                        breakdown, period_kind, period_start,
                        sum(queries) as queries,
                        case when count(cost) = count(*) then sum(cost) end as cost
                    from batch group by all
                ),
                whole as (from sums where breakdown = 'overall')
                select
                    sums.breakdown, period_kind, period_start,
                    sums.queries, whole.queries as whole_queries, sums.cost, whole.cost as whole_cost
                from sums inner join whole using (period_kind, period_start)
                where sums.queries <> whole.queries
                    or (sums.cost is null) <> (whole.cost is null)
                    or abs(sums.cost - whole.cost) > 1e-8 * sums.queries
            """,
        ),
        RowsCheck(
            name="window_is_the_sum_of_its_days",
            description="The queries of the 30 days are those of each of them.",
            query="""
                select
                    windows.breakdown, windows.breakdown_key,
                    any_value(windows.queries) as queries_of_window,
                    coalesce(sum(days.queries), 0) as queries_of_days
                from batch as windows left join (from batch where period_kind = 'daily') as days
                    on windows.breakdown = days.breakdown and windows.breakdown_key = days.breakdown_key
                    and days.period_start between windows.period_start and windows.period_end
                where windows.period_kind = 'window'
                group by windows.breakdown, windows.breakdown_key
                having queries_of_window <> queries_of_days
            """,
        ),
        RowsCheck(
            name="agrees_with_metric_values",
            description="The wide and the long table hold the same cost per query.",
            query="""
                with wide as (from batch where breakdown <> 'query'),
                long as (
                    select breakdown, breakdown_key, period_kind, period_end, value, null_reason
                    from lake.marts.metric_values where metric_id = 'cost_per_query'
                )
                select breakdown, breakdown_key, period_kind, period_end, cost_per_query, value
                from wide full join long using (breakdown, breakdown_key, period_kind, period_end)
                where cost_per_query is distinct from value or cost_per_query_null_reason is distinct from null_reason
            """,
        ),
    ),
)
