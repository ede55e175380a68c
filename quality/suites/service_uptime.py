"""Checks of ``marts.service_uptime``: it counts every probe, by clocks that can be right."""

from __future__ import annotations

from quality.checks import RowsCheck, Suite

SUITE = Suite(
    table="marts.service_uptime",
    keys=("breakdown", "breakdown_key", "period_kind", "period_start"),
    checks=(
        RowsCheck(
            name="has_every_probe",
            description="The probes of all days are those that were taken in and sent by the instant of the run.",
            query="""
                with taken as (
                    select coalesce(least(started_at, valid_from), valid_from)::date as period_start, count(*) as taken
                    from lake.raw.service_probes
                    where valid_to is null
                        and coalesce(least(started_at, valid_from), valid_from) <= getvariable('as_of')
                    group by all
                ),
                days as (
                    select period_start, probes from batch where breakdown = 'overall' and period_kind = 'daily'
                )
                select period_start, taken, probes
                from taken full join days using (period_start)
                where taken is distinct from probes
            """,
        ),
        RowsCheck(
            name="services_sum_to_the_whole",
            description="Probes of the services, and those answered, make the ones of all together.",
            query="""
                select
                    period_kind, period_start,
                    sum(probes) filter (breakdown = 'overall') as probes,
                    sum(probes) filter (breakdown = 'service') as probes_of_services,
                    sum(ok_probes) filter (breakdown = 'overall') as ok_probes,
                    sum(ok_probes) filter (breakdown = 'service') as ok_probes_of_services
                from batch
                group by period_kind, period_start
                having probes is distinct from coalesce(probes_of_services, 0)
                    or ok_probes is distinct from coalesce(ok_probes_of_services, 0)
            """,
            real_time=True,
        ),
        RowsCheck(
            name="agrees_with_metric_values",
            description="The wide and the long table hold the same uptime.",
            query="""
                with long as (
                    select breakdown, breakdown_key, period_kind, period_end, value, null_reason
                    from lake.marts.metric_values where metric_id = 'uptime_percent'
                )
                select breakdown, breakdown_key, period_kind, period_end, uptime_percent, value
                from batch full join long using (breakdown, breakdown_key, period_kind, period_end)
                where uptime_percent is distinct from value or uptime_percent_null_reason is distinct from null_reason
            """,
        ),
        RowsCheck(
            name="views_answer",
            description="Every service is up within the healthy range over the last 24 hours.",
            query="""
                select breakdown_key, probes, ok_probes, slow_probes, uptime_percent
                from batch where breakdown = 'service' and period_kind = 'window' and status = 'below'
            """,
            severity="warning",
            real_time=True,
        ),
        RowsCheck(
            name="clocks_do_not_run_ahead",
            description="No probe of the last 24 hours says that it was sent after it was taken in.",
            query="""
                select breakdown_key, probes, skewed_probes
                from batch where breakdown = 'service' and period_kind = 'window' and skewed_probes > 0
            """,
            severity="warning",
            real_time=True,
        ),
        RowsCheck(
            name="clocks_do_not_go_back",
            description="Of the platform's own probes, which are logged one after the other, none began before the one that "
            "was logged before it.",
            query="""
                with probes as (
                    select
                        service, started_at, load_id, source_line,
                        max(started_at) over (
                            partition by load_id order by source_line rows between unbounded preceding and 1 preceding
                        ) as latest_before
                    from lake.raw.service_probes
                    where source_file = 'operations.sqlite' and valid_from > getvariable('as_of') - interval 1 day
                )
                select service, started_at, latest_before
                from probes where started_at < latest_before - interval 1 minute
            """,
            severity="warning",
        ),
    ),
)
