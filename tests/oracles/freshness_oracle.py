"""An independent reading of how soon events came in, and whether all of them did, from the events alone.

Metric 22 with what stands beside it, the freshness targets, and how complete each day is: specification 02-metrics.md, "Health
of the numbers". How far the values of the metrics can be trusted therefore stands in ``trust_oracle``.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass
from datetime import date, datetime, timedelta
from typing import Any

from pipelines.lake.connection import Lake
from tests.oracles.comparison import equal
from tests.oracles.ingestion_oracle import StoredEvent
from tests.oracles.metrics_oracle import Freshness, freshness

TARGETS = {
    "campaign_events": (timedelta(minutes=1), timedelta(minutes=5)),
    "behavior": (timedelta(minutes=5), timedelta(minutes=30)),
    "marketer_actions": (timedelta(seconds=10), timedelta(minutes=1)),
    "system": (timedelta(minutes=1), timedelta(minutes=5)),
}
"""Within which time 95 %, and within which 99 % of the events are to be in."""
MARKETERS = {
    *("campaign_created", "campaign_launched", "campaign_paused"),
    *("budget_reallocated", "dashboard_accessed", "creative_variant_tested"),
}
CUSTOMERS = {
    *("user_segmented", "user_purchased", "user_engaged", "user_unsubscribed"),
    *("cart_updated", "consent_changed"),
}
CAMPAIGNS = {
    *("campaign_delivered", "campaign_viewed", "campaign_clicked", "campaign_converted", "campaign_abandoned"),
    *("promotion_redeemed", "message_bounced"),
}


@dataclass(frozen=True)
class Level:
    """One row of ``freshness_levels``."""

    events: int
    target_seconds: int
    in_target_percent: float
    limit_seconds: int
    in_limit_percent: float
    status: str


@dataclass(frozen=True)
class Day:
    """One row of ``data_freshness``."""

    events: int
    late: int
    p95_minutes: float
    max_minutes: float
    newest: datetime
    minutes_since_newest: float | None
    expected: float | None
    completeness: float | None


def levels_of(events: Iterable[StoredEvent], as_of: datetime) -> dict[tuple[str, date], Level]:
    """By group of event types and day, of the events that came within a day: later ones are late, not slow."""
    lags: dict[tuple[str, date], list[timedelta]] = defaultdict(list)
    for event in events:
        if not event.late and event.timestamp.date() <= as_of.date():
            lags[_group(event.event_type), event.timestamp.date()].append(event.ingested_at - event.timestamp)
    found = {}
    for (group, day), waits in lags.items():
        target, limit = TARGETS[group]
        in_time, in_limit = (100 * sum(wait <= bound for wait in waits) / len(waits) for bound in (target, limit))
        status = "critical" if in_limit < 99 else "missed" if in_time < 95 else "met"
        seconds = int(target.total_seconds()), int(limit.total_seconds())
        found[group, day] = Level(len(waits), seconds[0], in_time, seconds[1], in_limit, status)
    return found


def _group(event_type: str) -> str:
    for group, members in (("marketer_actions", MARKETERS), ("behavior", CUSTOMERS), ("campaign_events", CAMPAIGNS)):
        if event_type in members:
            return group
    return "system"


def days_of(events: Iterable[StoredEvent], as_of: datetime) -> dict[tuple[str, date], Day]:
    """By event type (``all``: every type) and day up to that of ``as_of``."""
    known = {key: each for key, each in freshness(events).items() if key[1] <= as_of.date()}
    newest: dict[str, datetime] = {}
    for (event_type, _), each in known.items():
        newest[event_type] = max(each.newest, newest.get(event_type, each.newest))
    return {key: _day(key, known, as_of if each.newest == newest[key[0]] else None) for key, each in known.items()}


def _day(key: tuple[str, date], known: Mapping[tuple[str, date], Freshness], now: datetime | None) -> Day:
    own, (event_type, day) = known[key], key
    before = [known[event_type, earlier] for earlier in _same_weekdays(day) if (event_type, earlier) in known]
    expected = statistics.median(each.events for each in before) if before else None
    return Day(
        own.events,
        own.late,
        own.p95_minutes,
        own.max_minutes,
        own.newest,
        None if now is None else max(0.0, (now - own.newest) / timedelta(minutes=1)),
        expected,
        None if expected is None else min(100.0, 100 * own.events / expected),
    )


def _same_weekdays(day: date) -> Iterator[date]:
    return (day - timedelta(weeks=weeks) for weeks in (1, 2, 3, 4))


def freshness_discrepancies(lake: Lake, events: Collection[StoredEvent], as_of: datetime) -> list[str]:
    """What the tables say otherwise, one line each."""
    with lake.reader() as connection:
        levels = connection.execute(
            """
            select event_group, event_date, events, target_seconds, in_target_percent, limit_seconds, in_limit_percent, status
            from lake.marts.freshness_levels
            """
        ).fetchall()
        days = connection.execute(
            """
            select event_type, event_date, events, late_events, p95_lag_minutes, max_lag_minutes, newest_event_at,
                minutes_since_newest, expected_events, completeness_percent
            from lake.marts.data_freshness
            """
        ).fetchall()
    expected = days_of(events, as_of)
    return [
        *_differing("freshness level", levels, levels_of(events, as_of)),
        *_differing("freshness", days, expected),
    ]


def _differing(name: str, rows: Iterable[tuple[Any, ...]], expected: Mapping[Any, Level | Day]) -> Iterator[str]:
    shown = {(key, day): tuple(row) for key, day, *row in rows}
    for key in sorted({*shown, *expected}):
        ours, theirs = shown.get(key), expected.get(key)
        if ours is None or theirs is None or not all(map(equal, ours, astuple(theirs))):
            yield f"{name} {' '.join(map(str, key))}: shown {ours}, expected {theirs}"
