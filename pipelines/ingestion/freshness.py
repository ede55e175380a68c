"""How soon events come in and the metrics follow, judged on what was taken in lately; the nights judge whole days.

Events that come more than a day after they happened are late, not slow: they don't count here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import duckdb

from pipelines.ingestion.files import is_known, ready_files, recorded_name
from pipelines.lake.pinning import published_views
from pipelines.settings import Settings

METRICS_TARGET = timedelta(minutes=5)
METRICS_LIMIT = timedelta(minutes=15)
"""How long what has landed may wait for being published."""

TARGETS = "freshness_targets"
_IN_TARGET, _IN_LIMIT = 95, 99


@dataclass(frozen=True)
class Timeliness:
    """How many of a group's events came within its target and its limit (``freshness_targets``)."""

    group: str
    events: int
    in_target: int
    in_limit: int

    @property
    def is_met(self) -> bool:
        """Whether at least 95 % came within the target and 99 % within the limit."""
        return 100 * self.in_target >= _IN_TARGET * self.events and not self.is_critical

    @property
    def is_critical(self) -> bool:
        """Whether fewer than 99 % came within the limit."""
        return 100 * self.in_limit < _IN_LIMIT * self.events


def timeliness(connection: duckdb.DuckDBPyConnection, since: datetime) -> tuple[Timeliness, ...]:
    """Every group's events that were taken in after ``since``; none while nothing is published."""
    if TARGETS not in published_views(connection):
        return ()
    instant = since.astimezone(UTC).replace(tzinfo=None)
    (first,) = connection.execute(
        "select min(load_id) from lake.ops.load_log where status = 'loaded' and ingested_at > $since",
        {"since": instant},
    ).fetchall()[0]
    # By the number of the load, so that only the files of these loads are read.
    rows = connection.execute(
        f"""
        with recent as (
            select event_group, ingestion_lag_seconds <= target_seconds as in_target,
                ingestion_lag_seconds <= limit_seconds as in_limit
            from lake.raw.events inner join lake.published.{TARGETS} using (event_type)
            where load_id >= {first or 0} and ingested_at > $since and not late_arrival
        )
        select event_group, count(in_target), count(*) filter (where in_target), count(*) filter (where in_limit)
        from (select distinct event_group from lake.published.{TARGETS}) left join recent using (event_group)
        group by event_group order by event_group
        """,
        {"since": instant},
    ).fetchall()
    return tuple(Timeliness(*row) for row in rows)


def waiting_time(connection: duckdb.DuckDBPyConnection, settings: Settings, at: datetime) -> timedelta:
    """How long the oldest thing that has landed waits for being published; zero when nothing waits.

    Files of no known kind, and those that were tried and could not be read, wait for a person.
    """
    (loaded,) = connection.execute(
        """
        select min(ingested_at) from lake.ops.load_log
        where status = 'loaded' and ingested_at > (
            select coalesce(max_by(as_of, publish_id), timestamp '1970-01-01') from lake.ops.publish_log
        )
        """
    ).fetchall()[0]
    tried = dict(
        connection.execute(
            "select source_file, max(ingested_at) from lake.ops.load_log where status = 'failed' group by source_file"
        ).fetchall()
    )
    waiting = [loaded] if loaded else []
    for path in ready_files(settings, at):
        arrived = datetime.fromtimestamp(path.stat().st_ctime, UTC).replace(tzinfo=None)
        tried_at = tried.get(recorded_name(settings, path))
        if is_known(path) and (tried_at is None or tried_at < arrived):
            waiting.append(arrived)
    return max(at.astimezone(UTC).replace(tzinfo=None) - min(waiting), timedelta(0)) if waiting else timedelta(0)
