"""From accepted events and references to countable facts, each with its day and the groups that it belongs to.

Every definition of specification 02-metrics.md that is about *what counts* stands here; what is divided by what
stands in ``metrics_oracle``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from tests.oracles.ingestion_oracle import StoredEvent
from tests.oracles.references import References

OPENED = {"opened", "clicked_cta"}
MESSAGE_CHANNELS = {"email", "push"}


@dataclass(frozen=True)
class Fact:
    """Something that counts on a day, in the group named per breakdown; no entry: the input doesn't carry that one."""

    day: date
    groups: Mapping[str, str]
    user: str | None = None
    number: Decimal | float | None = 1
    """A count, an amount in base currency (None: there is no rate) or hours."""
    by_message: bool = False
    """Whether it happened on e-mail or push."""
    order_id: str | None = None
    """Of an order, its id."""
    at: datetime | None = None
    """When it happened; None for what is reported of a day."""


@dataclass
class Facts:
    """All facts of a world, by kind."""

    impressions: list[Fact] = field(default_factory=list)
    reported_impressions: list[Fact] = field(default_factory=list)
    clicks: list[Fact] = field(default_factory=list)
    reported_clicks: list[Fact] = field(default_factory=list)
    opens: list[Fact] = field(default_factory=list)
    orders: list[Fact] = field(default_factory=list)
    conversions: list[Fact] = field(default_factory=list)
    new_customers: list[Fact] = field(default_factory=list)
    hours_to_conversion: list[Fact] = field(default_factory=list)
    spend: list[Fact] = field(default_factory=list)


@dataclass(frozen=True)
class Conversion:
    """An order credited to a campaign, by its origin or by its last touch."""

    order_id: str
    campaign_id: str
    at: StoredEvent
    """The event that says that it was bought, and when, and by whom."""
    by: StoredEvent
    """The event that says which campaign, creative and channel it is credited to."""


def facts_of(events: Iterable[StoredEvent], references: References, *, lookback: timedelta) -> Facts:
    """Everything that counts in these events and references."""
    history = _History(sorted(events, key=lambda event: (event.timestamp, event.event_id)), references)
    facts = Facts()
    for event in history.treated("campaign_delivered"):
        if not event.properties["is_holdout"]:
            facts.impressions.append(history.fact(event))
    for event in history.treated("campaign_clicked"):
        facts.clicks.append(history.fact(event))
    for event in history.opens():
        facts.opens.append(history.fact(event))
    orders = _first_by_order(history.of_type("user_purchased"))
    for order_id, order in orders.items():
        groups = {"overall": "all", "segment": segment_of(order)}
        money = history.money(order)
        facts.orders.append(Fact(_day(order), groups, order.user_id, money, order_id=order_id, at=order.timestamp))
    conversions = _conversions(history, orders, lookback)
    for conversion in conversions:
        groups = history.groups(conversion.by, segment=segment_of(conversion.at))
        order = conversion.at
        facts.conversions.append(Fact(_day(order), groups, order.user_id, history.money(order), at=order.timestamp))
    _add_new_customers(facts, history, orders, conversions)
    _add_hours(facts, history, conversions)
    _add_reports(facts, history)
    return facts


def touches_and_orders(
    events: Iterable[StoredEvent], references: References
) -> tuple[list[tuple[StoredEvent, Mapping[str, str]]], list[tuple[StoredEvent, Decimal | None]]]:
    """Every touch (opened or clicked, not held out) with its groups; every order once with its value, None: no rate."""
    history = _History(sorted(events, key=lambda event: (event.timestamp, event.event_id)), references)
    touches = [*history.opens(), *history.treated("campaign_clicked")]
    orders = _first_by_order(history.of_type("user_purchased")).values()
    return (
        [(touch, history.groups(touch, segment=segment_of(touch))) for touch in touches],
        [(order, history.money(order)) for order in orders],
    )


def segment_of(event: StoredEvent) -> str:
    """The segment as a breakdown: as the event's producer knew it."""
    return event.context.get("user_segment") or "unknown"


class _History:
    """The events in order of time, with what is known about the arms of every campaign."""

    def __init__(self, events: Sequence[StoredEvent], references: References) -> None:
        self.references = references
        self._by_type: dict[str, list[StoredEvent]] = {}
        for event in events:
            self._by_type.setdefault(event.event_type, []).append(event)
        self._deliveries: dict[tuple[str, str], list[StoredEvent]] = {}
        for event in self.of_type("campaign_delivered"):
            self._deliveries.setdefault((campaign_of(event), event.user_id), []).append(event)

    def of_type(self, event_type: str) -> list[StoredEvent]:
        return self._by_type.get(event_type, [])

    def treated(self, event_type: str) -> list[StoredEvent]:
        """The events of that type whose user isn't held out from their campaign."""
        return [event for event in self.of_type(event_type) if not self._is_held_out(event)]

    def opens(self) -> list[StoredEvent]:
        return [event for event in self.treated("campaign_viewed") if event.properties["view_type"] in OPENED]

    def _is_held_out(self, event: StoredEvent) -> bool:
        deliveries = self._deliveries.get((campaign_of(event), event.user_id), [])
        return bool(deliveries) and all(delivery.properties["is_holdout"] for delivery in deliveries)

    def fact(self, event: StoredEvent) -> Fact:
        by_message = self._channel(event) in MESSAGE_CHANNELS
        groups = self.groups(event, segment=segment_of(event))
        return Fact(_day(event), groups, event.user_id, by_message=by_message, at=event.timestamp)

    def groups(self, event: StoredEvent, *, segment: str) -> dict[str, str]:
        campaign_id = campaign_of(event)
        campaign = self.references.campaigns.get(campaign_id)
        channel = event.properties.get("delivery_channel")
        return {
            "overall": "all",
            "campaign": campaign_id,
            "segment": segment,
            "creative": str(event.properties.get("creative_id", "unknown")).lower(),
            "platform": (campaign and campaign.platform) or channel or "unknown",
            "campaign_type": (campaign and campaign.campaign_type) or "unknown",
        }

    def money(self, event: StoredEvent) -> Decimal | None:
        """The order's value in base currency."""
        amount = Decimal(repr(event.properties["order_value"])).quantize(Decimal("0.0001"), ROUND_HALF_UP)
        return self.references.in_base_currency(amount, event.properties.get("currency"), _day(event))

    def _channel(self, event: StoredEvent) -> str | None:
        """The event's own channel, else that of the campaign's delivery to the user: the latest before, else any."""
        own = event.properties.get("delivery_channel")
        if own is not None:
            return str(own)
        deliveries = self._deliveries.get((campaign_of(event), event.user_id), [])
        before = [delivery for delivery in deliveries if delivery.timestamp <= event.timestamp]
        chosen = before[-1:] or deliveries[:1]
        return str(chosen[0].properties["delivery_channel"]) if chosen else None


def campaign_of(event: StoredEvent) -> str:
    """The campaign's id in lower case."""
    return str(event.properties["campaign_id"]).lower()


def _conversions(history: _History, orders: Mapping[str, StoredEvent], lookback: timedelta) -> list[Conversion]:
    treated = set(history.treated("campaign_converted"))
    found = [
        Conversion(order_id, campaign_of(event), at=event, by=event)
        for order_id, event in _first_by_order(history.of_type("campaign_converted")).items()
        if event in treated
    ]
    touches_of: dict[str, list[StoredEvent]] = {}
    for touch in [*history.opens(), *history.treated("campaign_clicked")]:
        touches_of.setdefault(touch.user_id, []).append(touch)
    for order_id, order in orders.items():
        if order.credited:
            age = {touch: order.timestamp - touch.timestamp for touch in touches_of.get(order.user_id, [])}
            near = [touch for touch, passed in age.items() if timedelta(0) <= passed <= lookback]
            if near:
                touch = min(near, key=lambda touch: (age[touch], *_rank(touch)))
                found.append(Conversion(order_id, campaign_of(touch), at=order, by=touch))
    return found


def _rank(touch: StoredEvent) -> tuple[bool, str, str]:
    """Which of two touches at one instant wins: a click, then the smaller campaign, then the smaller event id."""
    return touch.event_type != "campaign_clicked", campaign_of(touch), touch.event_id


def _add_new_customers(
    facts: Facts, history: _History, orders: Mapping[str, StoredEvent], conversions: Sequence[Conversion]
) -> None:
    first_order_of: dict[str, str] = {}
    for order_id, order in orders.items():
        first_order_of.setdefault(order.user_id, order_id)
    first_orders = set(first_order_of.values())
    for conversion in conversions:
        if conversion.order_id in first_orders:
            order = orders[conversion.order_id]
            groups = history.groups(conversion.by, segment=segment_of(conversion.at))
            facts.new_customers.append(Fact(_day(order), groups, order.user_id))


def _add_hours(facts: Facts, history: _History, conversions: Sequence[Conversion]) -> None:
    first_impression: dict[tuple[str, str], datetime] = {}
    sent = [event for event in history.of_type("campaign_delivered") if not event.properties["is_holdout"]]
    for event in [*sent, *history.treated("campaign_viewed")]:  # a view stands in only where nothing was sent
        first_impression.setdefault((campaign_of(event), event.user_id), event.timestamp)
    seen: set[tuple[str, str]] = set()
    for conversion in sorted(conversions, key=lambda conversion: (conversion.at.timestamp, conversion.at.event_id)):
        pair = conversion.campaign_id, conversion.at.user_id
        first = first_impression.get(pair)
        if first is not None and pair not in seen and conversion.at.timestamp >= first:
            seen.add(pair)
            hours = (conversion.at.timestamp - first) / timedelta(hours=1)
            groups = history.groups(conversion.by, segment=segment_of(conversion.at))
            facts.hours_to_conversion.append(Fact(_day(conversion.at), groups, conversion.at.user_id, hours))


def _add_reports(facts: Facts, history: _History) -> None:
    days_with_clicks = {(campaign_of(event), _day(event)) for event in history.of_type("campaign_clicked")}
    references = history.references
    for row in references.spend.values():
        campaign = references.campaigns.get(row.campaign_id)
        groups = {
            "overall": "all",
            "campaign": row.campaign_id,
            "platform": row.platform,
            "campaign_type": (campaign and campaign.campaign_type) or "unknown",
        }
        facts.reported_impressions.append(Fact(row.date, groups, number=row.impressions))
        if (row.campaign_id, row.date) not in days_with_clicks:  # events are the finer statement
            facts.reported_clicks.append(Fact(row.date, groups, number=row.clicks))
        if row.spend is not None:
            amount = references.in_base_currency(row.spend, row.currency, row.date)
            facts.spend.append(Fact(row.date, groups, number=amount))


def _first_by_order(events: Iterable[StoredEvent]) -> dict[str, StoredEvent]:
    """The earliest event of every order; events come in order of time and id."""
    first: dict[str, StoredEvent] = {}
    for event in events:
        first.setdefault(str(event.properties["order_id"]).lower(), event)
    return first


def _day(event: StoredEvent) -> date:
    return event.timestamp.date()
