"""An independent computation of the delivery metrics (1–8, 14–17), holdouts (18–20) and freshness (22) from the raw lines.

Written for obviousness from the specification 02-metrics.md, without a look at the SQL: facts are counted per group
and period, then divided. ``facts`` says what counts, this module what is divided by what, and for which periods.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from decimal import ROUND_CEILING, Decimal, localcontext

from tests.oracles.facts import Fact, Facts, facts_of
from tests.oracles.holdouts_oracle import Money, arms_of, effects, groups_of
from tests.oracles.ingestion_oracle import StoredEvent
from tests.oracles.references import Campaign, References

BREAKDOWNS = ("overall", "campaign", "segment", "creative", "platform", "campaign_type")
WITHOUT_SPEND = {"segment", "creative"}
"""Breakdowns that the spend report doesn't carry."""

Key = tuple[str, str, str, str, str, date]
"""metric_id, breakdown, breakdown_key, period_kind, window_label, period_end."""


@dataclass(frozen=True)
class MetricValue:
    """One expected row of ``published.metric_values``."""

    value: float | None
    numerator: float | None = None
    denominator: float | None = None
    null_reason: str | None = None


@dataclass(frozen=True)
class Period:
    """Consecutive days, both ends included."""

    kind: str
    label: str
    start: date
    end: date

    def __contains__(self, day: date) -> bool:
        return self.start <= day <= self.end


def windows(as_of: datetime) -> list[Period]:
    """1, 7, 30 and 90 UTC days and the year so far, each ending with the day of ``as_of``."""
    today = as_of.date()
    trailing = [Period("window", f"{n}d", today - timedelta(days=n - 1), today) for n in (1, 7, 30, 90)]
    return [*trailing, Period("window", "ytd", today.replace(month=1, day=1), today)]


class Group:
    """The facts of one group in one period."""

    def __init__(self, breakdown: str, facts: Mapping[str, Sequence[Fact]]) -> None:
        self.breakdown = breakdown
        self._facts = facts

    def facts(self, kind: str) -> Sequence[Fact]:
        """The facts of that kind; empty when there are none."""
        return self._facts.get(kind, ())

    def total(self, *kinds: str) -> int:
        """Sum of the counts."""
        return sum(int(fact.number or 0) for kind in kinds for fact in self.facts(kind))

    def users(self, kind: str, *, by_message: bool = False) -> int:
        """Distinct users; with ``by_message`` those whom it reached by e-mail or push."""
        return len({fact.user for fact in self.facts(kind) if fact.by_message or not by_message})

    def money(self, kind: str) -> Decimal | None:
        """Sum of the amounts; None when one of them has no rate to the base currency."""
        amounts = [fact.number for fact in self.facts(kind)]
        return None if None in amounts else sum((Decimal(str(amount)) for amount in amounts), Decimal(0))


def roas(group: Group) -> MetricValue:
    """1: conversion revenue ÷ spend."""
    return _per_spend(group, lambda spend: _ratio(group.money("conversions"), spend))


def ctr(group: Group) -> MetricValue:
    """2: clicks ÷ impressions, in percent."""
    clicks = group.total("clicks", "reported_clicks")
    return _ratio(clicks, group.total("impressions", "reported_impressions"), scale=100)


def conversion_rate(group: Group) -> MetricValue:
    """3: distinct converting users ÷ distinct clicking users, in percent."""
    return _ratio(group.users("conversions"), group.users("clicks"), scale=100)


def cac(group: Group) -> MetricValue:
    """4: spend ÷ distinct new customers."""
    return _per_spend(group, lambda spend: _ratio(spend, group.users("new_customers")))


def cpc(group: Group) -> MetricValue:
    """5: spend ÷ clicks."""
    return _per_spend(group, lambda spend: _ratio(spend, group.total("clicks", "reported_clicks")))


def impressions(group: Group) -> MetricValue:
    """6: count of impressions."""
    count = group.total("impressions", "reported_impressions")
    return MetricValue(value=count, numerator=count)


def aov(group: Group) -> MetricValue:
    """8: revenue ÷ distinct orders: of all orders, or of those converted by the group's campaigns."""
    kind = "orders" if group.breakdown in ("overall", "segment") else "conversions"
    return _ratio(group.money(kind), len(group.facts(kind)))


def open_rate(group: Group) -> MetricValue:
    """14: distinct users who opened ÷ distinct users sent, e-mail and push, in percent."""
    return _ratio(group.users("opens", by_message=True), group.users("impressions", by_message=True), scale=100)


def click_rate(group: Group) -> MetricValue:
    """15: distinct users who clicked ÷ distinct users who opened, e-mail and push, in percent."""
    return _ratio(group.users("clicks", by_message=True), group.users("opens", by_message=True), scale=100)


def avg_frequency(group: Group) -> MetricValue:
    """16: sent impressions ÷ distinct users reached."""
    return _ratio(group.total("impressions"), group.users("impressions"))


def hours_to_first_conversion(group: Group) -> MetricValue:
    """17: median hours from a converting user's first impression to the first conversion after it."""
    hours = [float(fact.number) for fact in group.facts("hours_to_conversion") if fact.number is not None]
    if not hours:
        return MetricValue(None, null_reason="no_conversions")
    return MetricValue(statistics.median(hours))


METRICS: Mapping[str, Callable[[Group], MetricValue]] = {
    metric.__name__: metric
    for metric in (
        roas,
        ctr,
        conversion_rate,
        cac,
        cpc,
        impressions,
        aov,
        open_rate,
        click_rate,
        avg_frequency,
        hours_to_first_conversion,
    )
}


@dataclass
class MetricsOracle:
    """Every metric value that must be published at ``as_of``."""

    events: Iterable[StoredEvent]
    references: References
    as_of: datetime
    lookback: timedelta = timedelta(days=30)

    def values(self) -> dict[Key, MetricValue]:
        """All rows: daily for every day with a fact of the group, and the windows of every group."""
        facts = _by_group(facts_of(self.events, self.references, lookback=self.lookback))
        expected: dict[Key, MetricValue] = {}
        for (breakdown, key), by_day in facts.items():
            days = [Period("daily", "day", day, day) for day in by_day if day <= self.as_of.date()]
            for period in [*days, *windows(self.as_of)]:
                group = Group(breakdown, _within(by_day, period))
                for metric_id, metric in METRICS.items():
                    row = metric(group)
                    expected[metric_id, breakdown, key, period.kind, period.label, period.end] = row
        expected.update(self._budgets(facts))
        expected.update(self._freshness())
        expected.update(self._holdouts(expected))
        return expected

    def _holdouts(self, values: Mapping[Key, MetricValue]) -> dict[Key, MetricValue]:
        """18–20: of every campaign with deliveries, and of the groups of those that hold users out."""
        campaigns = arms_of(self.events, self.as_of.date(), self.lookback)
        members: dict[tuple[str, str], list[str]] = defaultdict(list)
        for campaign, arms in campaigns.items():
            for group in groups_of(campaign, arms, self.references):
                members[group].append(campaign)
        found = {}
        for (breakdown, key), names in members.items():
            days = {day for name in names for day in campaigns[name].days()}
            for period in [*(Period("daily", "day", day, day) for day in days), *windows(self.as_of)]:
                segment = key if breakdown == "segment" else None
                alone = breakdown == "campaign"
                known = [name for name in names if alone or campaigns[name].users["holdout"]]
                group = {name: campaigns[name].until(period.end, segment) for name in known}
                group = {name: arms for name, arms in group.items() if alone or arms.users["holdout"]}
                if not group and period.kind == "window":  # nobody is held out: that is to be said
                    group = {name: campaigns[name].until(period.end, segment) for name in names}
                money = {name: _money(values, name, period) for name in group}
                read = effects(group, money, period.start, self.references) if group else {}
                if segment is not None and group and read["holdout_lift_pp"][3] is None:
                    read["net_incremental_revenue"] = None, None, None, "input_not_available_for_breakdown"
                for metric_id, (value, numerator, denominator, reason) in read.items():
                    row = MetricValue(value, numerator, denominator, reason)
                    found[metric_id, breakdown, key, period.kind, period.label, period.end] = row
        return found

    def _freshness(self) -> Iterator[tuple[Key, MetricValue]]:
        """22: the 95th percentile of the lag of the events of days and windows, over all of them and by type."""
        days = freshness(self.events)
        for (event_type, day), found in days.items():
            breakdown = "overall" if event_type == "all" else "event_type"
            yield ("data_freshness_minutes", breakdown, event_type, "daily", "day", day), MetricValue(found.p95_minutes)
        for event_type in {event_type for event_type, day in days if day <= self.as_of.date()}:
            breakdown = "overall" if event_type == "all" else "event_type"
            events = [event for event in self.events if event_type in ("all", event.event_type)]
            for period in windows(self.as_of):
                key = "data_freshness_minutes", breakdown, event_type, period.kind, period.label, period.end
                yield key, window_freshness(events, period)

    def _budgets(self, facts: _Grouped) -> Iterator[tuple[Key, MetricValue]]:
        """7: spend to date ÷ budget of the active and completed campaigns, in percent; not windowed."""
        utilization = "budget_utilization"
        for breakdown, key in {*facts, *self._groups_of_campaigns()}:
            spending_days = {day for day, kinds in facts.get((breakdown, key), {}).items() if "spend" in kinds}
            days = [Period("daily", "day", day, day) for day in spending_days if day <= self.as_of.date()]
            for period in [*days, *windows(self.as_of)]:
                value = self._budget_utilization(breakdown, key, period.end)
                yield (utilization, breakdown, key, period.kind, period.label, period.end), value

    def _groups_of_campaigns(self) -> Iterator[tuple[str, str]]:
        for campaign in self.references.campaigns.values():
            yield from _groups(campaign).items()

    def _budget_utilization(self, breakdown: str, key: str, until: date) -> MetricValue:
        if breakdown in WITHOUT_SPEND:
            return MetricValue(None, null_reason="input_not_available_for_breakdown")
        budgets: dict[str, Decimal | None] = {}
        for campaign in self.references.campaigns.values():
            if campaign.budget is None or campaign.status not in ("active", "completed"):
                continue
            if _groups(campaign)[breakdown] == key:
                day = campaign.start_date or self.as_of.date()
                in_base = self.references.in_base_currency(campaign.budget, campaign.currency, day)
                budgets[campaign.campaign_id] = in_base
        if not budgets:
            return MetricValue(None, null_reason="no_budget")
        amounts = [
            self.references.in_base_currency(row.spend, row.currency, row.date)
            for row in self.references.spend.values()
            if row.spend is not None and row.date <= until and row.campaign_id in budgets
        ]
        if not amounts:
            return MetricValue(None, null_reason="no_spend_reported")
        return _ratio(_sum(amounts), _sum(budgets.values()), scale=100)


@dataclass(frozen=True)
class Freshness:
    """22: how old the events of a day were when they came, in minutes."""

    events: int
    late: int
    p95_minutes: float
    max_minutes: float
    newest: datetime


def freshness(events: Iterable[StoredEvent]) -> dict[tuple[str, date], Freshness]:
    """By event type (``all``: over all of them) and day of the event; p95 interpolates between neighbors."""
    groups: dict[tuple[str, date], list[StoredEvent]] = defaultdict(list)
    for event in events:
        for event_type in ("all", event.event_type):
            groups[event_type, event.timestamp.date()].append(event)
    found = {}
    for key, group in groups.items():
        lags = [(event.ingested_at - event.timestamp) / timedelta(minutes=1) for event in group]
        late, newest = sum(event.late for event in group), max(event.timestamp for event in group)
        found[key] = Freshness(len(group), late, percentile(lags, 0.95), max(lags), newest)
    return found


def window_freshness(events: Iterable[StoredEvent], period: Period) -> MetricValue:
    """22 of a window: of more than a day by lags rounded up to three digits, at most 1 % above the true percentile."""
    lags = [event.ingested_at - event.timestamp for event in events if event.timestamp.date() in period]
    if not lags:
        return MetricValue(None, null_reason="no_events")
    exact = percentile([lag / timedelta(minutes=1) for lag in lags], 0.95)
    if period.start == period.end:
        return MetricValue(exact)
    rounded = percentile([_up_to_three_digits(lag) / timedelta(minutes=1) for lag in lags], 0.95)
    assert exact <= rounded + 1e-9
    assert rounded - exact <= 0.01 * max(abs(exact), abs(rounded)) + 1e-9
    return MetricValue(min(rounded, max(lags) / timedelta(minutes=1)))


def _up_to_three_digits(lag: timedelta) -> timedelta:
    microseconds = Decimal(lag // timedelta(microseconds=1))
    with localcontext(prec=3, rounding=ROUND_CEILING):
        return timedelta(microseconds=int(+microseconds))


def percentile(values: Iterable[float], share: float) -> float:
    """The value below which that share lies, interpolated between neighbors."""
    ordered = sorted(values)
    position = (len(ordered) - 1) * share
    low, high = math.floor(position), math.ceil(position)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)


_Grouped = Mapping[tuple[str, str], Mapping[date, Mapping[str, Sequence[Fact]]]]


def _by_group(facts: Facts) -> _Grouped:
    """Facts by (breakdown, key), day and kind."""
    grouped: dict[tuple[str, str], dict[date, dict[str, list[Fact]]]] = {}
    for kind in fields(facts):
        for fact in getattr(facts, kind.name):
            for group in fact.groups.items():
                days = grouped.setdefault(group, {})
                days.setdefault(fact.day, {}).setdefault(kind.name, []).append(fact)
    return grouped


def _within(by_day: Mapping[date, Mapping[str, Sequence[Fact]]], period: Period) -> Mapping[str, Sequence[Fact]]:
    found: dict[str, list[Fact]] = defaultdict(list)
    for day, kinds in by_day.items():
        if day in period:
            for kind, facts in kinds.items():
                found[kind].extend(facts)
    return found


def _groups(campaign: Campaign) -> dict[str, str]:
    """The groups that a campaign's budget belongs to."""
    return {
        "overall": "all",
        "campaign": campaign.campaign_id,
        "platform": campaign.platform or "unknown",
        "campaign_type": campaign.campaign_type or "unknown",
    }


def _money(values: Mapping[Key, MetricValue], campaign: str, period: Period) -> Money:
    """Conversions and revenue as metric 8 has them, spend as metric 5."""
    group = "campaign", campaign, period.kind, period.label, period.end
    orders, spend = values.get(("aov", *group)), values.get(("cpc", *group))
    if orders is None or spend is None:
        return Money(0, 0, None, "no_spend_reported")
    return Money(orders.denominator or 0, orders.numerator, spend.numerator, spend.null_reason)


def _per_spend(group: Group, ratio: Callable[[Decimal | None], MetricValue]) -> MetricValue:
    """A metric that needs the spend report, or the reason why it can't have it."""
    if group.breakdown in WITHOUT_SPEND:
        return MetricValue(None, null_reason="input_not_available_for_breakdown")
    if not group.facts("spend"):
        return MetricValue(None, null_reason="no_spend_reported")
    return ratio(group.money("spend"))


def _ratio(numerator: Decimal | int | None, denominator: Decimal | int | None, *, scale: int = 1) -> MetricValue:
    parts = _float(numerator), _float(denominator)
    if numerator is None or denominator is None:
        return MetricValue(None, *parts, "missing_rate")
    if denominator == 0:
        return MetricValue(None, *parts, "zero_denominator")
    return MetricValue(float(scale * Decimal(numerator) / Decimal(denominator)), *parts)


def _float(value: Decimal | int | None) -> float | None:
    return None if value is None else float(value)


def _sum(amounts: Iterable[Decimal | None]) -> Decimal | None:
    total = Decimal(0)
    for amount in amounts:
        if amount is None:
            return None
        total += amount
    return total
