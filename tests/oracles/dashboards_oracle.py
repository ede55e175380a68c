"""What the modules of the dashboard must show, computed from accepted events in plain Python, row by row.

Written from the wireframes, without a look at the SQL. What counts is said by ``facts``, what is divided by what by
``metrics_oracle``; here stand hours, frequencies, funnels and periods before a window.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from tests.oracles.facts import Fact, facts_of
from tests.oracles.holdouts_oracle import arms_of
from tests.oracles.ingestion_oracle import StoredEvent
from tests.oracles.metrics_oracle import METRICS, Group, Period, windows
from tests.oracles.references import References

Row = tuple[object, ...]
Rows = dict[Row, Row]
"""Key columns to the columns that are compared."""

ENGAGEMENTS = ("opens", "clicks")


class DashboardsOracle:
    """The tables of the dashboard at ``as_of``, each as keys and values."""

    def __init__(
        self,
        events: Iterable[StoredEvent],
        references: References,
        as_of: datetime,
        lookback: timedelta = timedelta(days=30),
    ) -> None:
        everything = list(events)
        self.events = [event for event in everything if event.timestamp.date() <= as_of.date()]
        self.references = references
        self.as_of = as_of
        self.lookback = lookback
        facts = facts_of(everything, references, lookback=lookback)
        self.happened = {
            "sent": facts.impressions,
            "opens": facts.opens,
            "clicks": facts.clicks,
            "conversions": facts.conversions,
        }
        self.all_facts = facts

    def hourly(self) -> Rows:
        """Campaign, window, hour of the day → sent, opens, clicks, conversions, revenue."""
        found: Rows = {}
        for period in windows(self.as_of):
            cells: dict[tuple[str, int], dict[str, list[Fact]]] = defaultdict(lambda: defaultdict(list))
            for kind, fact in self._within(period):
                cells[fact.groups["campaign"], _hour(fact)][kind].append(fact)
            for campaign in {campaign for campaign, _ in cells}:
                for hour in range(24):
                    cell = cells.get((campaign, hour), {})
                    counts = [len(cell.get(kind, ())) for kind in self.happened]
                    found[campaign, period.label, hour] = (*counts, _money(cell.get("conversions", ())))
        return found

    def heatmap(self) -> Rows:
        """Segment, window, weekday, hour → how often there was such an hour, sent, opens, clicks, percent of peak."""
        found: Rows = {}
        for period in windows(self.as_of):
            counts: Counter[tuple[str, int, int, str]] = Counter()
            for kind, fact in self._within(period):
                for segment in ("all", fact.groups["segment"]):
                    counts[segment, fact.day.isoweekday(), _hour(fact), kind] += 1
            segments = {segment for segment, *_, kind in counts if kind != "conversions"}
            for segment in segments:
                observed: Counter[tuple[int, int]] = Counter()
                for instant in _hours_until(period, self.as_of):
                    observed[instant.isoweekday(), instant.hour] += 1
                rates = {
                    cell: sum(counts[segment, *cell, kind] for kind in ENGAGEMENTS) / times
                    for cell, times in observed.items()
                }
                peak = max(rates.values())
                for cell, times in observed.items():
                    numbers = [counts[segment, *cell, kind] for kind in ("sent", "opens", "clicks")]
                    percent = 100 * rates[cell] / peak if peak else None
                    found[segment, period.label, *cell] = (times, *numbers, percent)
        return found

    def frequencies(self) -> Rows:
        """Campaign, window, frequency → users, percent of users, messages per user."""
        found: Rows = {}
        for period in windows(self.as_of):
            messages: dict[str, Counter[str]] = defaultdict(Counter)
            for kind, fact in self._within(period):
                if kind == "sent":
                    messages[fact.groups["campaign"]][str(fact.user)] += 1
            for campaign, of_users in messages.items():
                for bucket in ("1", "2", "3", "4+"):
                    users = sum(bucket == ("4+" if number >= 4 else str(number)) for number in of_users.values())
                    average = of_users.total() / len(of_users)
                    found[campaign, period.label, bucket] = (users, 100 * users / len(of_users), average)
        return found

    def segments(self) -> Rows:
        """Campaign, segment, window → users reached, sent, clicks, conversions, revenue, users who clicked, converted."""
        found: Rows = {}
        for period in windows(self.as_of):
            groups: dict[tuple[str, str], dict[str, list[Fact]]] = defaultdict(lambda: defaultdict(list))
            for kind, fact in self._within(period):
                groups[fact.groups["campaign"], fact.groups["segment"]][kind].append(fact)
            for (campaign, segment), kinds in groups.items():
                counts = [len(kinds[kind]) for kind in ("sent", "clicks", "conversions")]
                users = [len({fact.user for fact in kinds[kind]}) for kind in ("sent", "clicks", "conversions")]
                revenue = _money(kinds["conversions"])
                found[campaign, segment, period.label] = (users[0], *counts, revenue, users[1], users[2])
        return found

    def funnel(self) -> Rows:
        """Breakdown, key, window, step → users who took all steps in order, users who took the step."""
        found: Rows = {}
        visits = self._moments("user_engaged")
        carts = self._moments("cart_updated")
        for period in windows(self.as_of):
            groups: dict[tuple[str, str], dict[str, dict[str, list[datetime]]]] = defaultdict(
                lambda: defaultdict(lambda: defaultdict(list))
            )
            for kind, fact in self._within(period):
                for breakdown in ("overall", "campaign", "segment"):
                    at = groups[breakdown, fact.groups[breakdown]]
                    at[str(fact.user)][kind].append(_instant(fact))
            for group, users in groups.items():
                steps = [self._path(of, visits[user], carts[user]) for user, of in users.items()]
                was_sent = any("sent" in of for of in users.values())
                for number, step in enumerate(("impression", "click", "visit", "cart", "purchase")):
                    counts: Row = (sum(path[0][number] for path in steps), sum(path[1][number] for path in steps))
                    known = was_sent or step != "impression"
                    found[*group, period.label, step] = counts if known else (None, None)
        return found

    def _path(
        self, of: Mapping[str, Sequence[datetime]], visits: Sequence[datetime], carts: Sequence[datetime]
    ) -> tuple[list[bool], list[bool]]:
        """Which steps someone took in order, and which at all."""
        shown = any(kind in of for kind in ("sent", "opens", "clicks"))
        click = min(of.get("clicks", ()), default=None)
        near = [at for at in visits if click and click <= at <= click + self.lookback]
        visit = min(near, default=None)
        after_click = [at for at in carts if click and click <= at <= click + self.lookback]
        cart = min((at for at in after_click if visit and at >= visit), default=None)
        bought = of.get("conversions", ())
        in_order = [
            shown,
            bool(click),
            bool(visit),
            bool(cart),
            bool(cart) and any(at >= cart for at in bought if cart),
        ]
        return in_order, [shown, bool(click), bool(visit), bool(after_click), bool(bought)]

    def kpis_before(self) -> Rows:
        """Metric, window → value in the period of equal length right before, and why there is none."""
        found: Rows = {}
        for period in windows(self.as_of):
            length = period.end - period.start + timedelta(days=1)
            before = Period("before", period.label, period.start - length, period.start - timedelta(days=1))
            kinds = {
                kind: [fact for fact in facts if fact.day in before] for kind, facts in vars(self.all_facts).items()
            }
            for metric_id in ("roas", "cac", "open_rate"):
                row = METRICS[metric_id](Group("overall", kinds))
                found[metric_id, period.label] = (row.value, row.null_reason)
            orders = [fact for fact in self.all_facts.orders if fact.day <= before.end]
            trailing = [fact for fact in orders if fact.day > before.end - timedelta(days=365)]
            customers, revenue = len({fact.user for fact in orders}), _money(trailing)
            if revenue is None:
                found["ltv", period.label] = (None, "missing_rate")
            elif not customers:
                found["ltv", period.label] = (None, "zero_denominator")
            else:
                found["ltv", period.label] = (float(revenue) / customers, None)
        return found

    def conversions_by_arm(self) -> Rows:
        """Campaign, window → conversions with and without the campaign; clicks of those held back are scaled alike."""
        found: Rows = {}
        for campaign, arms in arms_of(self.events, self.as_of.date(), self.lookback).items():
            treated, held = len(arms.users["treatment"]), len(arms.users["holdout"])
            for period in windows(self.as_of):
                with_campaign = arms.converted("treatment", period.start)
                without = arms.converted("holdout", period.start) * treated / held if held else None
                found[campaign, period.label] = (with_campaign, without)
        return found

    def marketer_actions(self) -> Rows:
        """Event → marketer, action, campaign, and the stated amount with its currency."""
        stated_by = {
            "campaign_created": ("create", "campaign_id", "initial_budget"),
            "campaign_launched": ("launch", "campaign_id", "budget_approved"),
            "campaign_paused": ("pause", "campaign_id", ""),
            "budget_reallocated": ("adjust_budget", "to_campaign_id", "amount"),
            "creative_variant_tested": ("test_creative", "campaign_id", ""),
        }
        found: Rows = {}
        for event in self.events:
            if event.event_type in stated_by:
                action, campaign, amount = stated_by[event.event_type]
                about = event.properties
                money = about.get(amount), about.get("currency")
                found[event.event_id,] = (about.get("marketer_id", event.user_id), action, about[campaign], *money)
        return found

    def cards(self) -> Rows:
        """Recommendation or anomaly → state."""
        followed = {
            event.properties.get("ai_recommendation_id")
            for event in self.events
            if event.event_type == "budget_reallocated"
        }
        found: Rows = {}
        for event in sorted(self.events, key=lambda event: event.timestamp, reverse=True):
            about = event.properties
            if event.event_type == "anomaly_detected":
                is_stale = event.timestamp + timedelta(days=7) <= self.as_of
                found["anomaly", about["anomaly_id"]] = ("expired" if is_stale else "open",)
            elif event.event_type == "user_action_recommended":
                expires = about.get("expiration_time")
                stale = expires is not None and datetime.fromisoformat(str(expires)) <= self.as_of
                known = about["recommendation_id"] in followed
                state = "implemented" if known else "expired" if stale else "open"
                found["recommendation", about["recommendation_id"]] = (state,)
        return found

    def _within(self, period: Period) -> Iterator[tuple[str, Fact]]:
        for kind, facts in self.happened.items():
            for fact in facts:
                if fact.day in period:
                    yield kind, fact

    def _moments(self, event_type: str) -> dict[str, list[datetime]]:
        found: dict[str, list[datetime]] = defaultdict(list)
        for event in self.events:
            if event.event_type == event_type and not event.properties.get("is_cleared"):
                found[event.user_id].append(event.timestamp)
        return found


def _instant(fact: Fact) -> datetime:
    assert fact.at is not None
    return fact.at


def _hour(fact: Fact) -> int:
    return _instant(fact).astimezone(UTC).hour


def _money(facts: Iterable[Fact]) -> Decimal | None:
    amounts = [fact.number for fact in facts]
    return None if None in amounts else sum((Decimal(str(amount)) for amount in amounts), Decimal(0))


def _hours_until(period: Period, as_of: datetime) -> Iterator[datetime]:
    """The beginning of every hour of a period that has begun by then."""
    instant = datetime.combine(period.start, datetime.min.time(), UTC)
    while instant <= as_of and instant.date() <= period.end:
        yield instant
        instant += timedelta(hours=1)
