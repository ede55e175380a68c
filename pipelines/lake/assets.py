"""The published tables and the lake's upkeep as Dagster assets: audit and publish, maintain."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from dagster import (
    AssetCheckKey,
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    FreshnessPolicy,
    MaterializeResult,
    MetadataValue,
    ResourceParam,
    asset,
    multi_asset,
)

from pipelines.automation.as_of import as_of
from pipelines.automation.charts import daily_chart
from pipelines.automation.evaluations import VERSION, built_version, check_key, evaluated, evaluation, suite_specs
from pipelines.automation.failures import explained
from pipelines.automation.metadata import OWNER, column_schema, size_metadata, table_of
from pipelines.errors import WorkFailedError
from pipelines.lake.audit import Audit, audit
from pipelines.lake.connection import Lake
from pipelines.lake.maintenance import maintain
from pipelines.lake.pinning import TARGET
from pipelines.lake.publishing import Publication, current_version, publish
from pipelines.lake.sizes import sizes
from pipelines.lake.tables import PUBLISH_LOG, QUALITY_RESULTS
from pipelines.operations.system_events import write_back
from pipelines.settings import now
from quality.checks import RowsCheck, Suite, counted

QUALITY = AssetKey(["ops", "quality_results"])
PUBLICATIONS = AssetKey(["ops", "publish_log"])
SYSTEM_EVENTS = AssetKey(["landing", "system_events"])
MAINTENANCE = AssetKey(["ops", "maintenance"])
FRESHNESS = FreshnessPolicy.time_window(warn_window=timedelta(hours=26), fail_window=timedelta(hours=48))
"""The nightly run publishes once a day: late after two hours of grace, stale when it has failed twice."""

_CHARTS: Mapping[str, tuple[str, str]] = {
    "campaign_performance_daily": (
        "Revenue of campaigns per day, last 90 days",
        """
        select event_date, sum(revenue)::double from lake.published.campaign_performance_daily
        where event_date > $as_of::date - 90 group by event_date having sum(revenue) is not null order by event_date
        """,
    ),
    "metric_values": (
        "Return on ad spend per day, last 90 days",
        """
        select period_end, value from lake.published.metric_values
        where metric_id = 'roas' and breakdown = 'overall' and period_kind = 'daily' and value is not null
            and period_end > $as_of::date - 90 order by period_end
        """,
    ),
    "service_uptime": (
        "95th percentile of the milliseconds in which views answered per day, last 90 days",
        """
        select period_end, p95_response_ms from lake.published.service_uptime
        where breakdown = 'overall' and period_kind = 'daily' and p95_response_ms is not null
            and period_end > $as_of::date - 90 order by period_end
        """,
    ),
    "query_costs": (
        "Cost of all queries per day, last 90 days",
        """
        select period_end, cost::double from lake.published.query_costs
        where breakdown = 'overall' and period_kind = 'daily' and cost is not null
            and period_end > $as_of::date - 90 order by period_end
        """,
    ),
}
"""Title and query (day, value) of the picture that a published table shows of itself."""


def published_assets(marts: Sequence[AssetSpec], suites: Sequence[Suite], pool: str) -> AssetsDefinition:
    """The published view of every mart: audited first, then repointed all together, in one step.

    One step, because what is published must be the very version that was audited.
    """
    checks = suite_specs(suites)
    real_time = real_time_checks(suites)
    checked = {check.asset_key for check in checks} | {mart.key for mart in marts}

    @multi_asset(
        name="audit_and_publish",
        specs=[*(_published_spec(mart) for mart in marts), *_log_specs(checked)],
        check_specs=checks,
        can_subset=True,
        allow_arbitrary_check_specs=True,
        pool=pool,
    )
    def audit_and_publish(context: AssetExecutionContext, lake: ResourceParam[Lake]) -> Iterator[Any]:
        chosen = context.selected_asset_check_keys
        wanted = context.selected_asset_keys - {QUALITY}
        with explained():
            version = built_version(context.instance, context.run)
            if version is None:
                with lake.reader() as connection:
                    version = current_version(connection)
            found = audit(
                lake,
                as_of=as_of(context),
                run_id=context.run.run_id,
                version=version,
                scope="real_time" if chosen and chosen <= real_time else "full",
                build_results=evaluated(context.instance, context.run, without={check.key for check in checks}),
                suites=suites,
            )
            yield from (evaluation(each) for each in found.results if check_key(each.table, each.check) in chosen)
            if QUALITY in context.selected_asset_keys:
                yield MaterializeResult(asset_key=QUALITY, metadata=_audit_metadata(lake, found))
            if wanted:
                publication = publish(lake, found, now())
                yield from _publication_results(lake, publication, sorted(wanted - {SYSTEM_EVENTS}))
                if publication.version == version and SYSTEM_EVENTS in wanted:
                    told = write_back(lake, publication, seconds=_seconds(context))
                    yield MaterializeResult(asset_key=SYSTEM_EVENTS, metadata=dict(told))
            _tell(found)

    return audit_and_publish


def maintenance_asset(pool: str) -> AssetsDefinition:
    """The upkeep of the lake; what it did is its metadata."""

    @asset(
        key=MAINTENANCE,
        group_name="operations",
        owners=[OWNER],
        kinds={"python", "duckdb"},
        pool=pool,
        description="Expires old versions (never published ones), compacts small files, deletes what nothing refers to.",
    )
    def maintenance(context: AssetExecutionContext, lake: ResourceParam[Lake]) -> MaterializeResult[Any]:
        with explained():
            report = maintain(lake, as_of(context))
        return MaterializeResult(metadata=_flat(asdict(report)))

    return maintenance


def real_time_checks(suites: Sequence[Suite]) -> set[AssetCheckKey]:
    """The checks that are cheap enough for every landing batch."""
    return {
        check_key(suite.table, check.name)
        for suite in suites
        for check in suite.checks
        if isinstance(check, RowsCheck) and check.real_time
    }


def _published_spec(mart: AssetSpec) -> AssetSpec:
    name = mart.key.path[-1]
    return AssetSpec(
        [TARGET, name],
        deps=[mart.key],
        group_name="published",
        owners=mart.owners,
        kinds={"duckdb", "view"},
        tags={name: value for name, value in mart.tags.items() if not name.startswith("dagster/")},
        description=f"What readers see of `{'.'.join(mart.key.path)}`: the last version that passed its audit.\n\n"
        f"{mart.description}",
        metadata={
            "dagster/table_name": f"lake.{TARGET}.{name}",
            **{name: value for name, value in mart.metadata.items() if name == "dagster/column_schema"},
        },
        freshness_policy=FRESHNESS,
    )


def _log_specs(checked: set[AssetKey]) -> Iterator[AssetSpec]:
    yield AssetSpec(
        QUALITY,
        deps=sorted(checked),
        group_name="published",
        owners=[OWNER],
        kinds={"python", "great_expectations"},
        description="One row per check and audit: what was judged, at which version, what was found, with samples.",
        metadata={"dagster/column_schema": column_schema(QUALITY_RESULTS)},
    )
    yield AssetSpec(
        PUBLICATIONS,
        deps=[QUALITY],
        group_name="published",
        owners=[OWNER],
        kinds={"python", "duckdb"},
        description="One row per publication or rollback: the version that readers were given, and on which checks.",
        metadata={"dagster/column_schema": column_schema(PUBLISH_LOG)},
    )
    yield AssetSpec(
        SYSTEM_EVENTS,
        deps=[PUBLICATIONS],
        group_name="published",
        owners=[OWNER],
        kinds={"file", "json"},
        description="What the run has to tell, as events that it lands and takes in: `data_refresh_completed`, "
        "`metric_calculation_completed` for each metric, `anomaly_detected` for each new anomaly of weight.",
    )


def _seconds(context: AssetExecutionContext) -> float:
    """How long the run has taken so far."""
    record = context.instance.get_run_record_by_id(context.run.run_id)
    assert record is not None and record.start_time is not None
    return max(now().timestamp() - float(record.start_time), 0.0)


def _tell(found: Audit) -> None:
    """Make the run fail, now that its numbers are published, where people must be told what they say (failure_alert)."""
    if found.alerts:
        lines = [f"  {alert.name}: {alert.observed}; {'; '.join(alert.sample)}" for alert in found.alerts]
        raise WorkFailedError(
            "\n".join(
                [
                    f"What could be published is; {counted(len(found.alerts), 'check')} that people must know of failed.",
                    *lines,
                ]
            ),
            "Look at the tables that they name; nothing needs to be run again.",
        )


def _audit_metadata(lake: Lake, found: Audit) -> dict[str, Any]:
    return {
        VERSION: found.version,
        "scope": found.scope,
        "checks_passed": sum(result.passed for result in found.results),
        "checks_failed": len(found.failures),
        "checks_warned": len(found.warnings),
        "data_docs": MetadataValue.path(lake.settings.data_docs / "index.html"),
    }


def _publication_results(
    lake: Lake, publication: Publication, keys: Sequence[AssetKey]
) -> Iterator[MaterializeResult[Any]]:
    common: dict[str, Any] = {
        VERSION: publication.version,
        "as_of": MetadataValue.timestamp(publication.as_of),
        "checks_passed": publication.checks_passed,
        "checks_warned": publication.checks_warned,
    }
    with lake.reader() as connection:
        found = sizes(connection, [table_of(key) for key in keys])
        for key in keys:
            metadata = common | size_metadata(found.get(table_of(key)))
            if key.path[-1] in _CHARTS and table_of(key) in found:
                title, query = _CHARTS[key.path[-1]]
                days = connection.execute(query, {"as_of": publication.as_of.date()}).fetchall()
                metadata["per_day"] = daily_chart(title, days)
            yield MaterializeResult(asset_key=key, metadata=metadata)


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}_")
        else:
            flat[prefix + name] = list(value) if isinstance(value, tuple) else value
    return flat
