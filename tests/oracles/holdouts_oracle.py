"""An independent reading of the holdouts (metrics 18 to 20) from the raw events, user by user.

Arms, outcomes and sums stand here in plain Python; of statistics only the χ² that refuses mismatched arms, by scipy.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from scipy import stats

from tests.oracles.facts import campaign_of, segment_of
from tests.oracles.ingestion_oracle import StoredEvent
from tests.oracles.references import References

LEAST_CONVERSIONS = 10
MISMATCH = 0.001


@dataclass
class Arms:
    """Users of a campaign by arm, the days on which each converted after coming into it, and when and as whom he came."""

    users: dict[str, set[str]] = field(default_factory=lambda: {"treatment": set(), "holdout": set(), "both": set()})
    outcomes: dict[str, list[date]] = field(default_factory=dict)
    first: dict[str, StoredEvent] = field(default_factory=dict)

    def until(self, end: date, segment: str | None = None) -> Arms:
        """What was to be seen by the end of a day, of all users or those of a segment."""
        members = {
            user
            for user, event in self.first.items()
            if event.timestamp.date() <= end and segment in (None, segment_of(event))
        }
        return Arms(
            {arm: users & members for arm, users in self.users.items()},
            {user: [day for day in self.outcomes[user] if day <= end] for user in members},
            {user: self.first[user] for user in members},
        )

    def days(self) -> set[date]:
        """The days on which somebody came into an arm or converted."""
        came = {event.timestamp.date() for event in self.first.values()}
        return came | {day for days in self.outcomes.values() for day in days}

    def converted(self, arm: str, start: date) -> int:
        """Users of the arm who converted on that day or later."""
        return sum(any(day >= start for day in self.outcomes.get(user, ())) for user in self.users[arm])


def arms_of(events: Iterable[StoredEvent], until: date, lookback: timedelta) -> dict[str, Arms]:
    """The arms of every campaign with deliveries by that day."""
    ordered = sorted(events, key=lambda event: (event.timestamp, event.event_id))
    deliveries: dict[tuple[str, str], list[StoredEvent]] = defaultdict(list)
    for event in ordered:
        if event.event_type == "campaign_delivered" and event.timestamp.date() <= until:
            deliveries[campaign_of(event), event.user_id].append(event)
    bought: dict[str, list[StoredEvent]] = defaultdict(list)
    for event in _outcomes(ordered):
        if event.timestamp.date() <= until:
            bought[event.user_id].append(event)
    found: dict[str, Arms] = defaultdict(Arms)
    for (campaign, user), received in deliveries.items():
        held_back = {bool(event.properties["is_holdout"]) for event in received}
        arm = "both" if len(held_back) == 2 else "holdout" if True in held_back else "treatment"
        found[campaign].users[arm].add(user)
        found[campaign].first[user] = received[0]
        found[campaign].outcomes[user] = [
            event.timestamp.date() for event in bought[user] if _follows(event, campaign, received, lookback)
        ]
    return found


def _outcomes(ordered: Sequence[StoredEvent]) -> Iterator[StoredEvent]:
    """The first conversion and the first purchase of every order; of purchases those that state no campaign."""
    seen: set[tuple[str, str]] = set()
    for event in ordered:
        if event.event_type in ("campaign_converted", "user_purchased"):
            order = event.event_type, str(event.properties["order_id"]).lower()
            if order not in seen and (event.event_type == "campaign_converted" or event.credited):
                yield event
            seen.add(order)


def _follows(event: StoredEvent, campaign: str, received: Sequence[StoredEvent], lookback: timedelta) -> bool:
    if event.event_type == "campaign_converted":
        return campaign_of(event) == campaign and event.timestamp >= received[0].timestamp
    return any(timedelta(0) <= event.timestamp - delivery.timestamp <= lookback for delivery in received)


@dataclass(frozen=True)
class Money:
    """What net revenue needs of a campaign and window: conversions, their revenue (None: no rate), spend or why not."""

    conversions: float
    revenue: float | None
    spend: float | None
    no_spend: str | None


Effect = tuple[float | None, float | None, float | None, str | None]
"""Value, numerator, denominator, null_reason."""


def effects(
    members: Mapping[str, Arms], money: Mapping[str, Money], start: date, references: References
) -> dict[str, Effect]:
    """Metrics 18 to 20 of some campaigns together, for the window that begins on that day."""
    treated, held = (sum(len(arms.users[arm]) for arms in members.values()) for arm in ("treatment", "holdout"))
    bought, anyway = (sum(arms.converted(arm, start) for arms in members.values()) for arm in ("treatment", "holdout"))
    reason = _too_little((treated, bought), (held, anyway))
    if reason is None and _mismatch(members, references):
        reason = "sample_ratio_mismatch"
    if reason:
        return dict.fromkeys(
            ("incrementality_percent", "holdout_lift_pp", "net_incremental_revenue"), (None, None, None, reason)
        )
    added = bought - anyway * treated / held
    return {
        "incrementality_percent": (100 * added / bought, added, bought, None)
        if bought
        else (None, None, None, "no_conversions"),
        "holdout_lift_pp": (100 * (bought / treated - anyway / held), added, treated, None),
        "net_incremental_revenue": _net(added, [money[campaign] for campaign in members]),
    }


def _net(added: float, members: Sequence[Money]) -> Effect:
    spends = [each.spend for each in members if each.no_spend != "no_spend_reported"]
    if not spends:
        return None, None, None, "no_spend_reported"
    if None in spends or any(each.revenue is None for each in members):
        return None, None, None, "missing_rate"
    conversions, revenue = sum(each.conversions for each in members), sum(each.revenue or 0 for each in members)
    if not conversions or not revenue:
        return None, None, None, "zero_denominator"
    net = added * revenue / conversions - sum(spend or 0 for spend in spends)
    return net, net, None, None


def _too_little(treatment: tuple[int, int], holdout: tuple[int, int]) -> str | None:
    """Why users and converting users of the arms tell nothing."""
    users, converted = treatment[0] + holdout[0], treatment[1] + holdout[1]
    if not treatment[0]:
        return "no_data"
    if not holdout[0]:
        return "no_holdout"
    if not converted:
        return "no_conversions"
    if converted == users:
        return "no_variation"
    return "too_few_conversions" if converted < LEAST_CONVERSIONS else None


def _mismatch(members: Mapping[str, Arms], references: References) -> bool:
    """χ² of a campaign's arms against their plan, of several campaigns' arms against each other."""
    sizes = [(len(arms.users["treatment"]), len(arms.users["holdout"])) for arms in members.values()]
    if len(sizes) == 1:
        known = references.campaigns.get(next(iter(members)))
        share = known.holdout_share if known else None
        if not share or not 0 < share < 1:
            return False
        expected = [(sum(sizes[0]) * (1 - share), sum(sizes[0]) * share)]
    else:
        columns = [sum(size[arm] for size in sizes) for arm in (0, 1)]
        expected = [tuple(sum(size) * column / sum(columns) for column in columns) for size in sizes]
    statistic = sum(
        (count - wanted) ** 2 / wanted
        for size, row in zip(sizes, expected, strict=True)
        for count, wanted in zip(size, row, strict=True)
    )
    return bool(stats.chi2.sf(statistic, max(1, len(sizes) - 1)) < MISMATCH)


def groups_of(campaign: str, arms: Arms, references: References) -> Iterator[tuple[str, str]]:
    """The groups, and of segments those of its users, that a campaign's holdout belongs to."""
    known = references.campaigns.get(campaign)
    yield "overall", "all"
    yield "campaign", campaign
    yield "platform", (known and known.platform) or "unknown"
    yield "campaign_type", (known and known.campaign_type) or "unknown"
    yield from {("segment", segment_of(event)) for event in arms.first.values()}
