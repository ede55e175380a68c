"""An independent computation of metrics 24 and 25 from the rows as they landed, after specification 02-metrics.md."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from pipelines.lake.connection import Lake
from tests.oracles.comparison import discrepancies, values_in
from tests.oracles.metrics_oracle import Key, MetricValue
from tests.oracles.world import Load

PRICE_PER_HOUR = 0.10
"""The default of the setting."""

Group = tuple[str, str]


@dataclass(frozen=True)
class Statement:
    """The newest row of a key, and when it was taken in."""

    row: Mapping[str, str | None]
    taken_at: datetime

    @property
    def started_at(self) -> datetime | None:
        """When it says that it began."""
        text = self.row.get("started_at")
        return datetime.fromisoformat(text).astimezone(UTC) if text else None

    @property
    def counted_at(self) -> datetime:
        """When it began, as far as that can be."""
        return min(self.started_at or self.taken_at, self.taken_at)

    @property
    def is_skewed(self) -> bool:
        """Whether it says that it began more than five minutes after it was taken in, or not when."""
        return self.started_at is None or self.started_at - self.taken_at > timedelta(minutes=5)

    def number(self, name: str) -> float | None:
        """A cell that holds a number."""
        text = self.row.get(name)
        return float(text) if text else None


class OperationsOracle:
    """What probes and queries say at ``as_of``, from these loads."""

    def __init__(self, loads: Iterable[Load], as_of: datetime) -> None:
        self.as_of = as_of
        self.probes: dict[str, Statement] = {}
        self.queries: dict[str, Statement] = {}
        for load in loads:
            for name, key, known in (
                ("service_probes", "probe_id", self.probes),
                ("query_costs", "query_id", self.queries),
            ):
                for each in {row[key]: row for row in load.rows.get(name, [])}.values():
                    row = {column: None if value is None else str(value) for column, value in each.items()}
                    if str(row.get("response_ms") or 0).startswith("-"):
                        continue  # answered before it was asked: quarantined
                    before = known.get(str(row[key]))
                    if before is None or before.row != row:
                        at = load.ingested_at if before is None else max(before.taken_at, load.ingested_at)
                        known[str(row[key])] = Statement(row, at)

    def values(self) -> dict[Key, MetricValue]:
        """The rows of ``metric_values``."""
        values = {}
        for (group, period), probes in self._grouped(self._probes_of_periods(), "service", "service").items():
            reason = "clock_skew" if any(each.is_skewed for each in probes) else None if probes else "no_probes"
            ok = sum(_is_ok(each) for each in probes)
            value = None if reason else 100 * ok / len(probes)
            values["uptime_percent", *group, *period] = MetricValue(value, ok, len(probes), reason)
        for (group, period), queries in self._grouped(self._queries_of_periods(), "engine", "engine").items():
            costs = [_cost(each) for each in queries]
            known = [cost for cost in costs if cost is not None]
            reason = "no_queries" if not costs else None if len(known) == len(costs) else "missing_cost"
            total = float(sum(known))
            value = None if reason else total / len(costs)
            values["cost_per_query", *group, *period] = MetricValue(value, total, len(costs), reason)
        return values

    def _grouped(
        self, periods: Mapping[tuple[str, str, date], list[Statement]], breakdown: str, column: str
    ) -> dict[tuple[Group, tuple[str, str, date]], list[Statement]]:
        grouped: dict[tuple[Group, tuple[str, str, date]], list[Statement]] = {}
        for period, statements in periods.items():
            grouped[("overall", "all"), period] = statements
            for each in statements:
                grouped.setdefault(((breakdown, each.row.get(column) or "unknown"), period), []).append(each)
        return grouped

    def _probes_of_periods(self) -> dict[tuple[str, str, date], list[Statement]]:
        window = [each for each in self._counted(self.probes) if each.counted_at > self.as_of - timedelta(hours=24)]
        return self._days(self.probes) | {("window", "24h", self.as_of.date()): window}

    def _queries_of_periods(self) -> dict[tuple[str, str, date], list[Statement]]:
        first = datetime.combine(self.as_of.date() - timedelta(days=29), time(), UTC)
        window = [each for each in self._counted(self.queries) if each.counted_at >= first]
        return self._days(self.queries) | {("window", "30d", self.as_of.date()): window}

    def _days(self, statements: Mapping[str, Statement]) -> dict[tuple[str, str, date], list[Statement]]:
        days: defaultdict[tuple[str, str, date], list[Statement]] = defaultdict(list)
        for each in self._counted(statements):
            days["daily", "day", each.counted_at.date()].append(each)
        return dict(days)

    def _counted(self, statements: Mapping[str, Statement]) -> Iterator[Statement]:
        return (each for each in statements.values() if each.counted_at <= self.as_of)


def operations_discrepancies(
    lake: Lake,
    loads: Iterable[Load],
    as_of: datetime,
    *,
    metrics: tuple[str, ...] = ("uptime_percent", "cost_per_query"),
) -> list[str]:
    """What the long table says otherwise of these metrics, one line each."""
    expected = {key: value for key, value in OperationsOracle(loads, as_of).values().items() if key[0] in metrics}
    return discrepancies(values_in(lake, "marts.metric_values"), expected, until=as_of.date())


def _is_ok(probe: Statement) -> bool:
    code, milliseconds = probe.number("status_code"), probe.number("response_ms")
    return code is not None and 200 <= code < 300 and milliseconds is not None and milliseconds <= 1000


def _cost(query: Statement) -> Decimal | float | None:
    stated, seconds = query.number("cost"), query.number("seconds")
    if stated is not None:
        return stated
    return None if seconds is None else seconds * PRICE_PER_HOUR / 3600
