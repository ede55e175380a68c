"""The simulated customers: who they are, what they are used to doing, when they come and when they leave."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models_ml.simulation.ids import Array
from models_ml.simulation.seasons import RHYTHM_SHARES
from models_ml.simulation.world import DAY_MS, World

NEVER = np.iinfo(np.int64).max
NOBODY = -1
"""No campaign; as an index it points behind the last one, where tables keep a null."""


@dataclass(frozen=True)
class Habit:
    """What the customers of one behavior pattern have in common.

    ``share`` of all customers; ``orders`` and ``visits`` relative rates; ``basket`` mean order value in the base
    currency; ``hazard`` chance to leave for good per day; ``response`` multiplies a campaign's lift; ``opens`` chance
    to open a message; ``weekend`` and ``season`` multiply the order rate on Saturday/Sunday and in one month.
    """

    share: float
    orders: float = 1.0
    visits: float = 1.0
    basket: float = 40.0
    hazard: float = 0.002
    response: float = 1.0
    opens: float = 0.24
    weekend: float = 1.2
    season: float = 1.0


HABITS = {
    "HIGH_SPENDER": Habit(0.12, orders=2.0, visits=1.6, basket=120.0, hazard=0.001, response=1.2, opens=0.28),
    "FREQUENT_SHOPPER": Habit(0.05, orders=45.0, visits=3.0, basket=26.0, hazard=0.0008, response=0.6, opens=0.32),
    "WEEKEND_SHOPPER": Habit(0.16, orders=1.2, weekend=18.0, response=1.1),
    "CATEGORY_FOCUSED": Habit(0.16, orders=1.3, basket=44.0, response=1.3),
    "LOCATION_CLUSTERED": Habit(0.15, orders=1.3, basket=36.0),
    "NEW_SHOPPER": Habit(0.12, orders=1.5, visits=1.8, basket=32.0, hazard=0.006, response=1.5, opens=0.30),
    "INACTIVE": Habit(0.14, orders=0.4, visits=0.3, basket=34.0, hazard=0.03, response=0.5, opens=0.10),
    "SEASONAL_SPENDER": Habit(0.10, orders=0.8, basket=70.0, hazard=0.0015, response=0.9, season=12.0),
}
"""The 8 behavior patterns (specification 03-customers.md)."""

PATTERNS = tuple(HABITS)
REGIONS = ("US-East", "US-West", "US-South", "US-Midwest", "EU-West", "EU-North", "UK")
REGION_SHARES = np.array([0.24, 0.20, 0.16, 0.12, 0.13, 0.05, 0.10])
REGION_CURRENCY = np.array([0, 0, 0, 0, 1, 1, 2])
CURRENCIES = ("USD", "EUR", "GBP")
TIMEZONES = (
    "America/New_York",
    "America/Los_Angeles",
    "America/Chicago",
    "America/Chicago",
    "Europe/Paris",
    "Europe/Stockholm",
    "Europe/London",
)
DEVICES = ("iOS", "Android", "Web")
APP_VERSIONS = ("4.0.2", "4.1.0", "4.1.3", "4.2.0", "5.0.0")
CHANNELS = ("email", "push", "sms", "in_app")
"""Owned delivery channels, each a word of the contract."""
UNSUBSCRIBE_TYPES = ("email_only", "push_only", "all_campaigns")

_CONSENT_RATES = np.array([0.88, 0.80, 0.65, 1.0])
_MOST_NEW_SHARE = 0.4
_NEW_PER_EVENT = 0.01
_LEAVES_PER_EVENT = 0.004
_CONFIRMED_PER_EVENT = 0.004


@dataclass(frozen=True)
class Customers:
    """Columns over customers; times in milliseconds since 1970, ``NEVER`` for what doesn't happen.

    The first customer is there from the start and never leaves, so that even the smallest world has life in it.
    """

    pattern: Array
    region: Array
    rhythm: Array
    device: Array
    app_version: Array
    category: Array
    store: Array
    season: Array
    birth_year: Array
    hazard: Array
    signed_up: Array
    left: Array
    unsubscribed: Array
    unsubscribe_type: Array
    consent: Array
    """Consent to each channel, shape (customers, channels)."""
    consented: Array
    """When the consents were stated, where that is within the world."""
    chance: Array
    """A number in [0, 1) per customer that decides by whom a new one was acquired."""

    def __len__(self) -> int:
        return len(self.pattern)

    def habit(self, name: str) -> Array:
        """One figure of every customer's habit, for instance ``basket``."""
        return np.array([getattr(habit, name) for habit in HABITS.values()])[self.pattern]


def make_customers(world: World, categories: int, stores: int) -> Customers:
    """All customers of a world; ``categories`` and ``stores`` (per region) are what they may favor."""
    rng, count = world.rng("customers", world.customers), world.customers
    pattern = rng.choice(len(PATTERNS), count, p=np.array([habit.share for habit in HABITS.values()]))
    region = rng.choice(len(REGIONS), count, p=REGION_SHARES)
    signed_up = _signups(world, rng, pattern)
    hazard = np.array([habit.hazard for habit in HABITS.values()])[pattern]
    hazard[0] = 0.0
    left = _after(rng, np.maximum(signed_up, world.start_ms), hazard)
    unsubscribed = _after(rng, np.maximum(signed_up, world.start_ms), np.full(count, _leave_hazard(world)))
    season = rng.choice(np.array([11, 12, 6, 8, 2]), count, p=[0.3, 0.4, 0.1, 0.1, 0.1])
    return Customers(
        pattern=pattern.astype(np.int8),
        region=region.astype(np.int8),
        rhythm=rng.choice(len(RHYTHM_SHARES), count, p=RHYTHM_SHARES).astype(np.int8),
        device=rng.choice(len(DEVICES), count, p=[0.42, 0.38, 0.20]).astype(np.int8),
        app_version=rng.choice(len(APP_VERSIONS), count, p=[0.05, 0.10, 0.2, 0.4, 0.25]).astype(np.int8),
        category=rng.integers(0, categories, count).astype(np.int8),
        store=(region * stores + rng.integers(0, stores, count)).astype(np.int16),
        season=season.astype(np.int8),
        birth_year=world.first_day.year - np.clip(rng.normal(38, 13, count), 15, 88).astype(np.int64),
        hazard=hazard,
        signed_up=signed_up,
        left=left,
        unsubscribed=unsubscribed,
        unsubscribe_type=rng.choice(len(UNSUBSCRIBE_TYPES), count, p=[0.5, 0.3, 0.2]).astype(np.int8),
        consent=rng.random((count, len(CHANNELS))) < _CONSENT_RATES,
        consented=_consent_times(world, rng, signed_up),
        chance=rng.random(count),
    )


def _signups(world: World, rng: np.random.Generator, pattern: Array) -> Array:
    """Most signed up in the two years before; new shoppers in the last month, others over the world's days.

    New customers bring events of their own, so a world with few lines for its customers has fewer new ones.
    """
    count = world.customers
    before = world.start_ms - (rng.random(count) * 730 + 0.01) * DAY_MS
    span = world.end_ms - world.start_ms
    month = min(span, 30 * DAY_MS)
    fresh = pattern == PATTERNS.index("NEW_SHOPPER")
    joined = np.where(fresh, world.end_ms - rng.random(count) * month, world.start_ms + rng.random(count) * span)
    most = min(_MOST_NEW_SHARE * min(1.0, world.days / 60), _NEW_PER_EVENT * world.events / count)
    is_new = rng.random(count) < np.where(fresh, min(1.0, most / 0.3), most * 0.75)
    is_new[0] = False
    return np.where(is_new, joined, before).astype(np.int64)


def _consent_times(world: World, rng: np.random.Generator, signed_up: Array) -> Array:
    """Consent is stated at signup; earlier customers confirmed theirs on some day, as far as the lines allow."""
    share = min(1.0, _CONFIRMED_PER_EVENT * world.events / world.customers)
    confirmed = world.start_ms + rng.random(world.customers) * (world.end_ms - world.start_ms)
    older = np.where(rng.random(world.customers) < share, confirmed.astype(np.int64), NEVER)
    return np.where(signed_up >= world.start_ms, signed_up, older)


def _leave_hazard(world: World) -> float:
    return min(0.0012, _LEAVES_PER_EVENT * world.events / world.customers / world.days)


def _after(rng: np.random.Generator, start: Array, hazard: Array) -> Array:
    """The first event of a constant daily hazard after ``start``; NEVER where the hazard is 0 or it is far away."""
    with np.errstate(divide="ignore"):
        days = rng.exponential(size=len(start)) / hazard
    happens = days < 36_500
    return np.where(happens, start + (np.where(happens, days, 0) * DAY_MS).astype(np.int64), NEVER)
