"""The simulated campaigns: their plans, and the truth about them that analysts never see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models_ml.simulation.customers import CHANNELS, PATTERNS
from models_ml.simulation.ids import Array, stream_key
from models_ml.simulation.seasons import day_weights
from models_ml.simulation.world import DAY_MS, World

TYPES = {
    "DISCOUNT": "NEW_SHOPPER",
    "CASHBACK": "FREQUENT_SHOPPER",
    "LOYALTY": "FREQUENT_SHOPPER",
    "LOCATION_BASED": "LOCATION_CLUSTERED",
    "CATEGORY_PROMOTION": "CATEGORY_FOCUSED",
    "SPENDING_MILESTONE": "HIGH_SPENDER",
    "RE_ENGAGEMENT": "INACTIVE",
    "VIP": "HIGH_SPENDER",
}
"""The 8 campaign types and whom each is made for."""

PLATFORMS = ("email", "meta", "push", "google", "sms", "linkedin", "email", "tiktok", "organic", "twitter", "push")
"""Platforms in the order in which campaigns take them; 11 of them against 8 types, so that all pairs occur."""

CHANNEL_OF_PLATFORM = {"email": "email", "push": "push", "sms": "sms", "organic": "in_app"}
"""The channel that carries an owned campaign; other platforms are paid media."""

PAID_BASKET = 48.0
"""Mean value of an order that paid media caused, in the base currency."""

PAID_CLICK_SHARE = 0.04
_COST_PER_SEND = {"email": 0.02, "push": 0.01, "sms": 0.05, "in_app": 0.015}
_STATUSES = ("scheduled", "active", "paused", "completed")


@dataclass(frozen=True)
class Campaigns:
    """Columns over campaigns; times in milliseconds since 1970.

    Owned campaigns have a ``channel`` (index into CHANNELS) and a causal effect per user: a user of the audience
    converts with probability ``baseline`` × habit without, and with ``lift`` × response more with a message. Paid ones
    have ``channel`` −1 and a response curve: a day's spend s causes revenue ``scale`` · s^``exponent``.
    ``spend`` is the plan of paid media in the base currency, shape (campaigns, days).
    """

    kind: Array
    platform: tuple[str, ...]
    channel: Array
    target: Array
    start: Array
    end: Array
    status: tuple[str, ...]
    holdout_share: Array
    baseline: Array
    lift: Array
    click_cost: Array
    click_rate: Array
    scale: Array
    exponent: Array
    spend: Array
    send_cost: Array
    budget: Array
    """Budget of the whole run in the base currency."""
    offset: Array
    stride: Array
    creatives: Array
    """Number of creatives of each campaign."""
    first_creative: Array
    creative_appeal: Array
    """Per creative: what it multiplies the chance of a click by."""
    reported_clicks: Array
    """What the platform reports per click that the company saw."""
    reported_conversions: Array
    """What the platform claims per conversion that the company saw."""

    def __len__(self) -> int:
        return len(self.kind)

    def pick_creatives(self, rng: np.random.Generator, campaign: Array) -> Array:
        """One of each campaign's creatives at random."""
        return self.first_creative[campaign] + (rng.random(len(campaign)) * self.creatives[campaign]).astype(np.int64)

    @property
    def is_paid(self) -> Array:
        """Whether each is paid media."""
        return self.channel < 0


def make_campaigns(world: World) -> Campaigns:
    """All campaigns of a world, their schedule, budgets and true effects."""
    count, rng = world.campaigns, world.rng("campaigns", world.campaigns)
    number = np.arange(count)
    platform = tuple(PLATFORMS[index % len(PLATFORMS)] for index in range(count))
    channel = np.array([_channel(name) for name in platform], dtype=np.int64)
    owned = np.where(channel >= 0, np.cumsum(channel >= 0) - 1, -1)
    schedule = _schedule(world, rng)
    baseline = rng.uniform(0.008, 0.02, count)
    lift = rng.uniform(0.012, 0.04, count)
    lift[owned % 6 == 3] = 0.0
    lift = np.where(owned % 9 == 7, -0.4 * baseline, lift)
    click_cost = rng.uniform(0.5, 1.8, count)
    creatives = rng.integers(2, 5, count)
    spend = _spend(world, rng, schedule, click_cost * (channel < 0))
    send_cost = np.array([_COST_PER_SEND[CHANNELS[index]] if index >= 0 else 0.0 for index in channel])
    exponent = np.clip(rng.normal(0.8, 0.1, count), 0.5, 0.98)
    return Campaigns(
        kind=number % len(TYPES),
        platform=platform,
        channel=channel,
        target=np.array([PATTERNS.index(name) for name in TYPES.values()], dtype=np.int64)[number % len(TYPES)],
        start=schedule.start,
        end=schedule.end,
        status=schedule.status,
        holdout_share=np.where((channel < 0) | (owned % 8 == 6), 0.0, world.holdout_share),
        baseline=baseline,
        lift=lift,
        click_cost=click_cost,
        click_rate=rng.uniform(0.012, 0.05, count),
        scale=_scale(spend, exponent, rng.uniform(1.2, 5.0, count)),
        exponent=exponent,
        spend=spend,
        send_cost=send_cost,
        budget=_budget(world, rng, schedule, spend, send_cost),
        offset=rng.integers(0, world.customers, count),
        stride=_strides(world, count),
        creatives=creatives,
        first_creative=np.cumsum(creatives) - creatives,
        creative_appeal=rng.uniform(0.6, 1.4, int(creatives.sum())),
        reported_clicks=np.where(number % 5 == 3, rng.uniform(1.03, 1.12, count), 1.0),
        reported_conversions=rng.uniform(1.0, 1.6, count),
    )


def arm_key(seed: int) -> int:
    """The key of the coin that puts a user into a campaign's treatment or holdout."""
    return stream_key(seed, "arm")


def _channel(platform: str) -> int:
    name = CHANNEL_OF_PLATFORM.get(platform)
    return -1 if name is None else CHANNELS.index(name)


@dataclass(frozen=True)
class _Schedule:
    start: Array
    end: Array
    status: tuple[str, ...]


def _schedule(world: World, rng: np.random.Generator) -> _Schedule:
    """Start and end of delivery: some began earlier, some go on, one in eleven is paused, one in thirteen is to come."""
    count, days = world.campaigns, world.days
    begin = rng.uniform(-0.2, 0.7, count) * days - 2
    length = rng.uniform(0.35, 0.9, count) * days + 5
    index = np.arange(count)
    begin = np.where(index % 13 == 12, days + rng.uniform(1, 10, count), begin)
    start = world.start_ms + np.floor(begin).astype(np.int64) * DAY_MS + 8 * 3_600_000
    end = start + np.ceil(length).astype(np.int64) * DAY_MS
    paused = (index % 11 == 5) & (start < world.end_ms)
    end = np.where(paused, (np.maximum(start, world.start_ms) + np.minimum(end, world.end_ms)) // 2, end)
    code = np.where(start >= world.end_ms, 0, np.where(paused, 2, np.where(end <= world.end_ms, 3, 1)))
    return _Schedule(start, end, tuple(_STATUSES[value] for value in code))


def _spend(world: World, rng: np.random.Generator, schedule: _Schedule, click_cost: Array) -> Array:
    """Planned daily spend of paid media, shape (campaigns, days): shares of the company's clicks at their cost.

    Three in four vary from day to day, so that their curve can be learned; the others barely do.
    """
    count = world.campaigns
    midnight = world.start_ms + np.arange(world.days) * DAY_MS
    spread = np.where(np.arange(count) % 4 == 1, 0.04, 0.45)[:, None]
    noise = np.exp(rng.normal(0, 1, (count, world.days)) * spread - spread**2 / 2)
    runs = (schedule.start[:, None] < midnight + DAY_MS) & (schedule.end[:, None] > midnight)
    weight = rng.uniform(0.5, 1.5, count)[:, None] * runs * (click_cost > 0)[:, None]
    part = weight / np.maximum(weight.sum(axis=0), weight.max(initial=1.0) * 3)
    day = day_weights(world.first_day, world.days)
    elapsed = np.minimum(1.0, (world.end_ms - midnight) / DAY_MS)
    clicks = PAID_CLICK_SHARE * world.clean_events * day * elapsed / (day * elapsed).sum()
    return np.asarray(np.round(part * clicks * click_cost[:, None] * noise, 2))


def _budget(world: World, rng: np.random.Generator, schedule: _Schedule, spend: Array, send_cost: Array) -> Array:
    """A budget near what the whole run will cost: the mean day's media, or a send or two to half of the customers."""
    days = np.maximum((spend > 0).sum(axis=1), 1)
    media = spend.sum(axis=1) / days * (schedule.end - schedule.start) / DAY_MS
    sends = send_cost * world.customers * 0.7
    return np.asarray(np.round((media + sends) * rng.uniform(0.85, 1.3, world.campaigns), 2))


def _scale(spend: Array, exponent: Array, return_on_spend: Array) -> Array:
    """The a of a·s^b with which the mean day of each campaign earns its return on spend."""
    days = np.maximum((spend > 0).sum(axis=1), 1)
    mean = np.maximum(spend.sum(axis=1) / days, 0.01)
    return np.asarray(return_on_spend * mean ** (1 - exponent))


def _strides(world: World, count: int) -> Array:
    """Steps through the customers, coprime with their number: a walk that meets each of them once."""
    rng = world.rng("strides", world.customers)
    found: list[int] = []
    while len(found) < count:
        steps = rng.integers(1, world.customers + 1, 2 * count)
        found += steps[np.gcd(steps, world.customers) == 1].tolist()
    return np.array(found[:count], dtype=np.int64)
