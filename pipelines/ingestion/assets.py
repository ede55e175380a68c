"""The raw tables as Dagster assets: what the landing folder holds is taken in, and the load log tells what became of it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import duckdb
from dagster import (
    AssetCheckExecutionContext,
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    BackfillPolicy,
    Config,
    DailyPartitionsDefinition,
    MaterializeResult,
    ResourceParam,
    asset,
    multi_asset,
    multi_asset_check,
)
from pydantic import Field

from pipelines.automation.as_of import as_of
from pipelines.automation.charts import daily_chart
from pipelines.automation.failures import explained
from pipelines.automation.metadata import OWNER, column_schema, rows_metadata, size_metadata, table_of
from pipelines.errors import UserError, WorkFailedError
from pipelines.ingestion.freshness import METRICS_LIMIT, METRICS_TARGET, Timeliness, timeliness, waiting_time
from pipelines.ingestion.load import LoadResult
from pipelines.ingestion.recompute import request_days
from pipelines.lake.connection import Lake
from pipelines.lake.sizes import sizes
from pipelines.lake.tables import HISTORY, LOAD_LOG, QUARANTINE, REFERENCES, TOUCHED_DAYS
from pipelines.run import Landing, take_landing
from pipelines.settings import now
from quality.contracts import load_contract

LANDING = AssetKey(["landing", "files"])
EVENTS = AssetKey(["raw", "events"])
QUARANTINED = AssetKey(["raw", "quarantine"])
LOADS = AssetKey(["ops", "load_log"])
TOUCHED = AssetKey(["ops", "touched_days"])
EVERY_FILE = AssetCheckSpec(
    "every_file_was_taken_in",
    asset=LOADS,
    description="Every landed file could be read and is of a known kind; those that were not stay in the folder.",
)
FRESH = {
    "campaign_events": "95 % of the campaign events of the last 15 minutes came within 1 minute, 99 % within 5.",
    "behavior": "95 % of the behavior events of the last 15 minutes came within 5 minutes, 99 % within 30.",
    "marketer_actions": "95 % of the marketers' actions of the last 15 minutes came within 10 seconds, 99 % within a minute.",
    "system": "95 % of the system events of the last 15 minutes came within 1 minute, 99 % within 5.",
    "metrics": "What has landed is published within 5 minutes, and within 15 in any case.",
}
"""Groups whose freshness is checked, by which names, and what is asked for."""

JUDGED = timedelta(minutes=15)
"""How far back a freshness check looks: to the one before, so that each alert is about other events."""

FIRST_DAY = "2000-01-01"
"""First day that the UI offers for computing again."""
_CHART_DAYS = 90


class LandingConfig(Config):
    """What a person may choose when launching the ingestion by hand."""

    backfill: bool = Field(default=False, description="Take in events however old they are (a historical load).")


def landing_spec() -> AssetSpec:
    """The landing folder: not ours to write, but where the lineage begins."""
    return AssetSpec(
        LANDING,
        group_name="ingestion",
        owners=[OWNER],
        kinds={"file", "json"},
        description="The folder that producers drop event files and reference inputs into (`<TRUELIFT_HOME>/landing`).",
    )


def ingestion_assets(pool: str) -> AssetsDefinition:
    """The tables that one pass over the landing folder writes, all in one step."""
    specs = [_spec(key, description, columns) for key, (description, columns) in _tables().items()]

    @multi_asset(name="ingestion", specs=specs, check_specs=[EVERY_FILE], pool=pool)
    def ingestion(context: AssetExecutionContext, config: LandingConfig, lake: ResourceParam[Lake]) -> Iterator[Any]:
        with explained():
            instant = as_of(context)
            landing = take_landing(lake, as_of=instant, at=now(), backfill=config.backfill)
            for result in landing.results:
                context.log.info(_sentence(result))
            with lake.reader() as connection:
                yield from _materializations(connection, landing.results, instant)
            yield _every_file(landing)

    return ingestion


def freshness_checks() -> AssetChecksDefinition:
    """Whether what lands comes in as soon as it is to, and the metrics follow; what is grave fails the run (failure_alert)."""
    specs = [AssetCheckSpec(f"{group}_fresh", asset=LANDING, description=text) for group, text in FRESH.items()]

    @multi_asset_check(name="judge_freshness", specs=specs)
    def freshness(context: AssetCheckExecutionContext, lake: ResourceParam[Lake]) -> Iterator[AssetCheckResult]:
        instant = as_of(context)
        with explained():
            try:
                with lake.reader() as connection:
                    groups = {each.group: each for each in timeliness(connection, instant - JUDGED)}
                    waiting = waiting_time(connection, lake.settings, instant)
            except UserError:  # there is no lake yet
                groups, waiting = {}, timedelta(0)
            found = [
                _freshness(name, groups.get(name) or Timeliness(name, 0, 0, 0)) for name in FRESH if name != "metrics"
            ]
            found.append(_waiting(waiting))
            yield from found
            grave = [each.check_name for each in found if not each.passed and each.severity == AssetCheckSeverity.ERROR]
            if grave:
                raise WorkFailedError(
                    f"Far too late: {', '.join(map(str, grave))}.", "See what the checks of landing/files say."
                )

    return freshness


def touched_days_asset(pool: str) -> AssetsDefinition:
    """Days that a person wants computed again, as partitions; several days are one run."""

    @asset(
        key=TOUCHED,
        deps=[EVENTS],
        partitions_def=DailyPartitionsDefinition(FIRST_DAY, end_offset=1),
        backfill_policy=BackfillPolicy.single_run(),
        group_name="ingestion",
        owners=[OWNER],
        kinds={"python", "duckdb"},
        pool=pool,
        description="Days, and users on them, that must be computed again although no row was added. Loads write it when "
        "they replace rows. Materialize the days of your choice to have every daily model compute them again: the job "
        "`recompute_days` does that and builds, audits and publishes too.",
        metadata=_table_facts(TOUCHED, TOUCHED_DAYS),
    )
    def touched_days(context: AssetExecutionContext, lake: ResourceParam[Lake]) -> MaterializeResult[Any]:
        days = [date.fromisoformat(key) for key in context.partition_keys]
        with explained():
            request = request_days(lake, days, as_of=as_of(context))
        return MaterializeResult(metadata={"days": len(days), "load_id": request.load_id})

    return touched_days


def _tables() -> dict[AssetKey, tuple[str, Mapping[str, str]]]:
    references = {
        AssetKey(["raw", name]): (
            f"Reference input `{name}`: one row per version of {', '.join(keys)}; "
            "`valid_from` and `valid_to` keep what was true when.",
            {**columns, **HISTORY},
        )
        for name, (keys, columns) in REFERENCES.items()
    }
    return {
        EVENTS: (
            "One row per accepted event, with every declared property in a typed column; an `event_id` is stored once.",
            load_contract().event_columns,
        ),
        QUARANTINED: (
            "Lines that were not accepted, word for word, with every reason; `truelift quarantine retry` releases them.",
            QUARANTINE,
        ),
        **references,
        LOADS: ("One row per load of a file: accepted + duplicates + rejected + filtered = lines.", LOAD_LOG),
    }


def _spec(key: AssetKey, description: str, columns: Mapping[str, str]) -> AssetSpec:
    texts = {each.name: each.description for kind in load_contract().event_types for each in kind.properties}
    return AssetSpec(
        key,
        deps=[LANDING],
        group_name="ingestion",
        owners=[OWNER],
        kinds={"python", "duckdb"},
        description=description,
        metadata=_table_facts(key, columns, texts if key == EVENTS else None),
    )


def _table_facts(key: AssetKey, columns: Mapping[str, str], texts: Mapping[str, str] | None = None) -> dict[str, Any]:
    return {
        "dagster/column_schema": column_schema(columns, texts),
        "dagster/table_name": "lake." + ".".join(key.path),
    }


def _materializations(
    connection: duckdb.DuckDBPyConnection, results: Sequence[LoadResult], instant: datetime
) -> Iterator[MaterializeResult[Any]]:
    found = sizes(connection, [table_of(key) for key in _tables()])
    for key in _tables():
        metadata = size_metadata(found.get(table_of(key)))
        if key == EVENTS:
            metadata |= _totals([result for result in results if result.target == "events"])
            metadata["events_per_day"] = _events_per_day(connection, instant)
        elif key == LOADS and results:
            metadata["loads"] = rows_metadata(_row(result) for result in results)
        yield MaterializeResult(asset_key=key, metadata=metadata)


def _totals(results: Sequence[LoadResult]) -> dict[str, Any]:
    counts = ("lines", "accepted", "late", "replaced", "duplicates", "rejected", "filtered", "pii_masked")
    totals: dict[str, Any] = {name: sum(getattr(result, name) for result in results) for name in counts}
    seconds = sum(result.seconds for result in results)
    totals["seconds"] = round(seconds, 3)
    totals["events_per_second"] = round(totals["lines"] / seconds) if seconds else 0
    return totals


def _events_per_day(connection: duckdb.DuckDBPyConnection, instant: datetime) -> Any:
    days = connection.execute(
        f"""
        select event_date, count(*) from lake.raw.events
        where event_date > $as_of::date - {_CHART_DAYS} group by event_date order by event_date
        """,
        {"as_of": instant.date()},
    ).fetchall()
    return daily_chart(f"Accepted events per day, last {_CHART_DAYS} days", days)


def _every_file(landing: Landing) -> AssetCheckResult:
    failed = [result for result in landing.results if result.status == "failed"]
    left = [{"file": path.name, "why": "neither an event file nor a reference input"} for path in landing.unknown]
    left += [{"file": result.source_file, "why": result.error or ""} for result in failed]
    return AssetCheckResult(
        check_name=EVERY_FILE.name,
        asset_key=EVERY_FILE.asset_key,
        passed=not left,
        severity=AssetCheckSeverity.WARN,
        metadata={"files_left": rows_metadata(left)} if left else {"files_taken_in": len(landing.results)},
    )


def _freshness(name: str, group: Timeliness) -> AssetCheckResult:
    counts = {"events": group.events, "in_target": group.in_target, "in_limit": group.in_limit}
    return _fresh(name, passed=group.is_met, is_grave=group.is_critical, metadata=counts)


def _waiting(waiting: timedelta) -> AssetCheckResult:
    minutes = {"waiting_minutes": waiting / timedelta(minutes=1)}
    return _fresh("metrics", passed=waiting <= METRICS_TARGET, is_grave=waiting > METRICS_LIMIT, metadata=minutes)


def _fresh(name: str, *, passed: bool, is_grave: bool, metadata: Mapping[str, float]) -> AssetCheckResult:
    return AssetCheckResult(
        check_name=f"{name}_fresh",
        asset_key=LANDING,
        passed=passed,
        severity=AssetCheckSeverity.ERROR if is_grave else AssetCheckSeverity.WARN,
        metadata=metadata,
    )


def _row(result: LoadResult) -> dict[str, Any]:
    names = ("source_file", "target", "status", "lines", "accepted", "late", "duplicates", "rejected", "filtered")
    return {name: getattr(result, name) for name in names}


def _sentence(result: LoadResult) -> str:
    if result.status != "loaded":
        return f"{result.source_file}: {result.status} {result.error or ''}".strip()
    return (
        f"{result.source_file}: load {result.load_id}, {result.lines} lines = {result.accepted} accepted "
        f"+ {result.duplicates} duplicates + {result.rejected} rejected + {result.filtered} filtered, "
        f"{result.seconds:.2f} s"
    )
