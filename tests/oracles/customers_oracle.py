"""An independent computation of the metrics of customers (9–13) from the raw lines, after specification 02-metrics.md.

``facts`` says what counts as an order and which campaign converted it; here these are gathered per customer, then
divided per group. Nothing is stored between runs or days: everything is counted anew for ``as_of``, and for a day as if
that were the day of ``as_of``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property

from tests.golden.metrics_table import SPECIFIED
from tests.oracles.facts import Fact, Facts, facts_of
from tests.oracles.ingestion_oracle import StoredEvent
from tests.oracles.metrics_oracle import Key, MetricValue
from tests.oracles.references import References

YEAR, QUARTER = 365, 90
CAMPAIGN_GROUPS = ("campaign", "platform", "campaign_type")
SPANS = (30, 60, 90)
DAILY = ("ltv", "cac_payback_months", "repeat_purchase_rate", "gross_margin_percent")
"""The metrics that have daily values."""


@dataclass(frozen=True)
class Customer:
    """Someone who has ordered by ``as_of``; orders in order of time."""

    orders: Sequence[Fact]
    acquired_by: Mapping[str, str] | None
    """Groups of the campaign that converted the first order ever."""
    cost: Decimal | None
    cost_gap: str | None

    @property
    def first_day(self) -> date:
        """Day of the first order ever."""
        return self.orders[0].day

    @property
    def segment(self) -> str:
        """That of the latest order."""
        return self.orders[-1].groups["segment"]

    @property
    def is_paid(self) -> bool:
        """Whether the acquiring campaign states a spend, be it in a currency without a rate."""
        return self.cost_gap in (None, "missing_rate")

    def since(self, day: date) -> list[Fact]:
        """Orders of that day and later."""
        return [order for order in self.orders if order.day >= day]

    def groups(self) -> dict[str, str]:
        """The groups that the customer belongs to."""
        campaign = self.acquired_by or {}
        return {
            "overall": "all",
            "segment": self.segment,
            **{name: campaign.get(name, "unknown") for name in CAMPAIGN_GROUPS},
        }


@dataclass(frozen=True)
class CohortValue:
    """One expected row of ``cohort_retention``: counts, then shares with the reasons why they may be missing."""

    customers: int
    retained: int
    retention: float | None
    retention_gap: str | None
    first_orders: float | None
    first_orders_gap: str | None


@dataclass(frozen=True)
class Payback:
    """One expected row of ``payback_curve``."""

    customers: int
    cac: float | None
    cumulative: float | None
    percent: float | None
    gap: str | None


@dataclass(frozen=True)
class CustomerValue:
    """One expected row of ``customer_value``."""

    trailing: float | None
    trailing_status: str | None
    lifetime: float | None
    cost: float | None
    cost_gap: str | None
    months: float
    payback: float | None
    payback_status: str | None
    payback_gap: str | None


@dataclass
class CustomersOracle:
    """Everything that must be shown of customers at ``as_of``."""

    events: Iterable[StoredEvent]
    references: References
    as_of: datetime
    lookback: timedelta = timedelta(days=30)
    days: Collection[date] | None = None
    """The days of which daily values are computed; None: all."""

    @property
    def today(self) -> date:
        """The day of ``as_of``."""
        return self.as_of.date()

    @cached_property
    def facts(self) -> Facts:
        """What counts in these events."""
        return facts_of(self.events, self.references, lookback=self.lookback)

    @cached_property
    def customers(self) -> dict[str, Customer]:
        """Everyone who has ordered."""
        orders: dict[str, list[Fact]] = defaultdict(list)
        for order in self.facts.orders:
            if order.day <= self.today:
                orders[str(order.user)].append(order)
        acquired: dict[str, Mapping[str, str]] = {}
        for new in self.facts.new_customers:
            if new.day <= self.today:
                acquired.setdefault(str(new.user), new.groups)
        costs = {
            campaign: self._cost(campaign, sum(groups["campaign"] == campaign for groups in acquired.values()))
            for campaign in {groups["campaign"] for groups in acquired.values()}
        }
        found = {}
        for user, own in orders.items():
            groups = acquired.get(user)
            cost, gap = (None, "no_acquiring_campaign") if groups is None else costs[groups["campaign"]]
            found[user] = Customer(own, groups, cost, gap)
        return found

    def _cost(self, campaign: str, customers: int) -> tuple[Decimal | None, str | None]:
        """What the campaign has spent so far for each of its customers."""
        amounts = [
            fact.number for fact in self.facts.spend if fact.groups["campaign"] == campaign and fact.day <= self.today
        ]
        if not amounts:
            return None, "no_spend_reported"
        if None in amounts:
            return None, "missing_rate"
        return sum((Decimal(str(amount)) for amount in amounts), Decimal(0)) / customers, None

    def values(self) -> dict[Key, MetricValue]:
        """All rows of the long table."""
        expected: dict[Key, MetricValue] = {}
        for (metric, *key), value in self._of_groups().items():
            days = YEAR if metric in ("ltv", "cac_payback_months") else QUARTER
            expected[metric, *key, "window", f"{days}d", self.today] = value
        expected |= self.daily
        for (month, span, end), cohort in self.cohorts().items():
            value = MetricValue(cohort.retention, cohort.retained, cohort.customers, cohort.retention_gap)
            expected["cohort_retention", "cohort", f"{month:%Y-%m}", "cohort", span, end] = value
        return expected

    @cached_property
    def daily(self) -> dict[Key, MetricValue]:
        """The rows of days: of every group from its first order on, up to the day of ``as_of``."""
        first = min((order.day for order in self.facts.orders), default=self.today)
        days = [first + timedelta(days=number) for number in range((self.today - first).days + 1)]
        days = [day for day in days if self.days is None or day in self.days]
        return {
            (*key, "daily", "day", day): value
            for day in days
            for key, value in self.at(day)._of_groups().items()
            if value.null_reason != "input_not_available_for_breakdown"
        }

    def at(self, day: date) -> CustomersOracle:
        """The same as it was to be shown at the end of that day, by what is known now."""
        oracle = replace(self, as_of=datetime.combine(day, time.max, UTC))
        oracle.facts, oracle.goods = self.facts, self.goods
        return oracle

    def _of_groups(self) -> dict[tuple[str, str, str], MetricValue]:
        """By metric and group that anyone has ordered in by ``as_of``."""
        orders = (order for order in self.facts.orders if order.day <= self.today)
        groups: dict[tuple[str, str], list[Customer]] = {key: [] for order in orders for key in order.groups.items()}
        for customer in self.customers.values():
            for group in customer.groups().items():
                groups.setdefault(group, []).append(customer)
        found = {}
        for key, members in groups.items():
            found["ltv", *key] = self._ltv(members)
            found["cac_payback_months", *key] = self._payback(members)
            found["repeat_purchase_rate", *key] = self._repeats(members)
            found["gross_margin_percent", *key] = self._margin(*key)
        return found

    def _start(self, days: int) -> date:
        return self.today - timedelta(days=days - 1)

    def _ltv(self, customers: Sequence[Customer]) -> MetricValue:
        """9: revenue of the trailing 12 months per customer."""
        return _ratio(_money(self._trailing(customers)), Decimal(len(customers)))

    def _payback(self, customers: Sequence[Customer]) -> MetricValue:
        """10: acquisition cost ÷ monthly revenue, both per customer whose acquisition was paid for."""
        if not any(customer.acquired_by for customer in customers):
            return MetricValue(None, null_reason="no_acquiring_campaign")
        paid = [customer for customer in customers if customer.is_paid]
        if not paid:
            return MetricValue(None, null_reason="no_spend_reported")
        revenue, cost = _money(self._trailing(paid)), _sum(customer.cost for customer in paid)
        if revenue is None or cost is None:
            return MetricValue(None, null_reason="missing_rate")
        months = sum((self._months(customer) for customer in paid), Decimal(0))
        return _ratio(cost / len(paid), revenue / months)

    def _repeats(self, customers: Sequence[Customer]) -> MetricValue:
        """11: customers with two orders in 90 days ÷ customers with one, in percent."""
        counts = [len(customer.since(self._start(QUARTER))) for customer in customers]
        return _ratio(Decimal(sum(n >= 2 for n in counts)), Decimal(sum(n >= 1 for n in counts)), scale=100)

    def _margin(self, breakdown: str, key: str) -> MetricValue:
        """12: what is left of the revenue of 90 days, by the segment of the order (of a new customer: the first one)."""
        if breakdown not in ("overall", "segment"):
            return MetricValue(None, null_reason="input_not_available_for_breakdown")
        start = self._start(QUARTER)
        orders = [o for o in self.facts.orders if start <= o.day <= self.today and o.groups[breakdown] == key]
        new = [
            customer
            for customer in self.customers.values()
            if customer.acquired_by and customer.first_day >= start and customer.orders[0].groups[breakdown] == key
        ]
        goods = [self.goods[str(order.order_id)] for order in orders]
        if any(gap == "missing_cost" for _, gap in goods):
            return MetricValue(None, null_reason="missing_cost")
        revenue, cost = _money(orders), _sum(cost for cost, _ in goods)
        spend = _sum(customer.cost for customer in new if customer.is_paid)
        if revenue is None or cost is None or spend is None:
            return MetricValue(None, null_reason="missing_rate")
        if new and not any(customer.is_paid for customer in new):
            return MetricValue(None, null_reason="no_spend_reported")
        return _ratio(revenue - cost - spend, revenue, scale=100)

    @cached_property
    def goods(self) -> dict[str, tuple[Decimal | None, str | None]]:
        """By order what its goods cost, or why that is not known."""
        return {str(order.order_id): self._goods(order) for order in self.facts.orders}

    def _goods(self, order: Fact) -> tuple[Decimal | None, str | None]:
        """What the goods of an order cost, item by item; a cost that the item doesn't state is the product's."""
        items = self.references.items.get(str(order.order_id), {})
        costs: list[Decimal | None] = []
        for product_id, item in items.items():
            stated = item.unit_cost is not None
            source = item if stated else self.references.products.get(product_id)
            if source is None or source.unit_cost is None or item.quantity is None:
                return None, "missing_cost"
            amount = (item.quantity * source.unit_cost).quantize(Decimal("0.0001"), ROUND_HALF_UP)
            costs.append(self.references.in_base_currency(amount, source.currency, order.day))
        return (_sum(costs), None) if items else (None, "missing_cost")

    def _trailing(self, customers: Iterable[Customer]) -> list[Fact]:
        return [order for customer in customers for order in customer.since(self._start(YEAR))]

    def _months(self, customer: Customer) -> Decimal:
        days = min(YEAR, (self.today - customer.first_day).days + 1)
        return Decimal(days) * 12 / YEAR

    def wide(self) -> dict[str, CustomerValue]:
        """One row per customer."""
        found = {}
        for user, customer in self.customers.items():
            payback = self._payback([customer])
            trailing, lifetime = _money(self._trailing([customer])), _money(customer.orders)
            found[user] = CustomerValue(
                _float(trailing),
                _status("ltv", _float(trailing)),
                _float(lifetime),
                _float(customer.cost),
                customer.cost_gap,
                float(self._months(customer)),
                payback.value,
                _status("cac_payback_months", payback.value),
                payback.null_reason,
            )
        return found

    def cohorts(self) -> dict[tuple[date, str, date], CohortValue]:
        """13: by signup month, span of days after signup and the span's last day."""
        days_of = {user: [order.day for order in customer.orders] for user, customer in self.customers.items()}
        first_order = min((order.day for order in self.facts.orders), default=date.max)
        months: dict[date, dict[str, date]] = defaultdict(dict)
        for user, signup in self.references.customers.items():
            if signup is not None and signup <= self.today:
                months[signup.replace(day=1)][user] = signup
        found = {}
        for month, members in months.items():
            oldest, youngest = min(members.values()), max(members.values())
            for span in SPANS:
                days = {user: [(day - at).days for day in days_of.get(user, [])] for user, at in members.items()}
                retained = sum(any(span - 29 <= n <= span for n in own) for own in days.values())
                begun = sum(bool(own) and 0 <= min(own) <= span for own in days.values())
                end = youngest + timedelta(days=span)
                gaps = [
                    "before_first_order" if start < first_order else "immature_cohort" if end >= self.today else None
                    for start in (oldest + timedelta(days=span - 29), oldest)
                ]
                shares = [
                    None if gap else 100 * count / len(members)
                    for gap, count in zip(gaps, (retained, begun), strict=True)
                ]
                key = month, f"{span - 29}-{span}d", end
                found[key] = CohortValue(len(members), retained, shares[0], gaps[0], shares[1], gaps[1])
        return found

    def curves(self) -> dict[tuple[str, str, date, int], Payback]:
        """Cumulative revenue of those acquired at a cost in a month, by month since, against that cost."""
        cohorts: dict[tuple[str, str, date], list[Customer]] = defaultdict(list)
        for customer in self.customers.values():
            if customer.acquired_by and customer.is_paid:
                for group in ("overall", *CAMPAIGN_GROUPS):
                    cohorts[group, customer.groups()[group], customer.first_day.replace(day=1)].append(customer)
        return dict(row for cohort, members in cohorts.items() for row in self._curve(cohort, members))

    def _curve(
        self, cohort: tuple[str, str, date], members: Sequence[Customer]
    ) -> Iterator[tuple[tuple[str, str, date, int], Payback]]:
        youngest = (self.today - max(customer.first_day for customer in members)).days
        oldest = (self.today - min(customer.first_day for customer in members)).days
        cost = _sum(customer.cost for customer in members)
        cac = None if cost is None else cost / len(members)
        for month in range(1, 12 * oldest // YEAR + 2):
            orders = [
                order
                for customer in members
                for order in customer.orders
                if 12 * (order.day - customer.first_day).days < YEAR * month
            ]
            revenue = _money(orders)
            if 12 * youngest < YEAR * month:
                row = Payback(len(members), _float(cac), None, None, "immature_cohort")
            elif revenue is None:
                row = Payback(len(members), None if cac is None else float(cac), None, None, "missing_rate")
            elif not cac:
                gap = "missing_rate" if cac is None else "zero_denominator"
                row = Payback(len(members), _float(cac), float(revenue), None, gap)
            else:
                percent = float(100 * revenue / len(members) / cac)
                row = Payback(len(members), float(cac), float(revenue), percent, None)
            yield (*cohort, month), row


def _money(orders: Iterable[Fact]) -> Decimal | None:
    """Revenue of the orders; None when one of them has no rate."""
    return _sum(None if order.number is None else Decimal(str(order.number)) for order in orders)


def _sum(amounts: Iterable[Decimal | None]) -> Decimal | None:
    total = Decimal(0)
    for amount in amounts:
        if amount is None:
            return None
        total += amount
    return total


def _ratio(numerator: Decimal | None, denominator: Decimal, *, scale: int = 1) -> MetricValue:
    if numerator is None:
        return MetricValue(None, null_reason="missing_rate")
    parts = float(numerator), float(denominator)
    if denominator == 0:
        return MetricValue(None, *parts, "zero_denominator")
    return MetricValue(float(scale * numerator / denominator), *parts)


def _status(metric: str, value: float | None) -> str | None:
    """How the value stands against the healthy range that the specification gives the metric."""
    if value is None:
        return None
    [healthy] = [each for each in SPECIFIED if each.metric_id == metric]
    assert healthy.healthy_min is not None
    assert healthy.healthy_max is not None
    return "below" if value < healthy.healthy_min else "above" if value > healthy.healthy_max else "in_range"


def _float(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
