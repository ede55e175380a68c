"""Random small worlds: few users, campaigns and instants, so that everything collides with everything.

Each world lands in several loads, in any order of what happened: late events, ids sent again, restated spend,
corrected campaigns, rates that come after the money.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, TypeVar

from tests.oracles.world import Load, World, hours, id_of, midnight

T = TypeVar("T")

FIRST_DAY = midnight("2024-01-28")
DAYS = 40
CHANNELS = ("email", "push", "sms")
CURRENCIES = (None, None, None, "USD", "EUR", "GBP")
PLATFORMS = ("email", "meta", "google", None)
TYPES = ("DISCOUNT", "VIP", None)


def crowd(seed: int, *, loads: int = 4, events: int = 500, emits_conversions: bool = True) -> World:
    """The world of that seed; without ``emits_conversions`` nothing says which campaign an order is due to."""
    dice = random.Random(seed)
    instant = FIRST_DAY + timedelta(days=DAYS)
    landed = []
    for _ in range(loads):
        landed.append(Load(instant, backfill=True))
        instant += dice.choice(
            [timedelta(minutes=3), timedelta(minutes=3), hours(7), timedelta(days=1), timedelta(days=6)]
        )
    world = World(landed)
    for number in range(loads):
        world.into(number)
        _references(world, dice)
    for _ in range(events):
        number = dice.randrange(loads)
        world.into(number)
        _event(world, dice, landed[number], emits_conversions)
    for number in range(loads):
        world.into(number)
        _goods_and_signups(world, random.Random(f"{seed} {number}"), is_last=number == loads - 1)
        _operations(world, random.Random(f"{seed} operations {number}"), landed[number])
    return world


def _references(world: World, dice: random.Random) -> None:
    """Statements of some campaigns, days and rates, many of which an earlier load made otherwise."""
    for name in _some(dice, [f"campaign-{n}" for n in range(6)]):
        budget = dice.choice([None, 0, 50, 120.5])
        status = dice.choice(["active", "Completed", "paused"])
        kind: dict[str, Any] = {"campaign_type": dice.choice(TYPES), "platform": dice.choice(PLATFORMS)}
        world.campaign(name, status=status, budget=budget, **kind)
        for day in _some(dice, [_day(n) for n in range(0, DAYS, 7)]):
            clicks = dice.choice([0, 3, 8])
            currency, platform = dice.choice(CURRENCIES), dice.choice(["email", "meta"])
            amount = dice.choice([None, 0, 1.5, 20])
            world.spend(name, day, amount, platform=platform, impressions=clicks * 9, clicks=clicks, currency=currency)
    for currency in _some(dice, ["EUR", "GBP"]):
        for day in _some(dice, [_day(n) for n in (-5, 10, 20)]):
            world.rate(currency, day, dice.choice([0.5, 1.0825, 1.27]))


def _goods_and_signups(world: World, dice: random.Random, *, is_last: bool) -> None:
    """Costs and signups, corrected from load to load; with the last one every order has items with a cost."""
    for product in range(3):
        cost = dice.choice([0, 1.25, 3]) if is_last else dice.choice([None, 2])
        world.product(f"product-{product}", cost, currency=dice.choice(CURRENCIES))
    for user in range(14):
        if is_last or dice.random() < 0.5:
            for order in range(6):
                goods: dict[str, Any] = {"cost": dice.choice([None, 1, 2.5]), "currency": dice.choice(CURRENCIES)}
                world.item(f"user-{user}-{order}", f"product-{dice.randrange(3)}", quantity=dice.randrange(4), **goods)
        if dice.random() < 0.5:
            world.customer(f"user-{user}", dice.choice([None, _day(-40), _day(0), _day(3), _day(20)]))


def _operations(world: World, dice: random.Random, load: Load) -> None:
    """Probes and queries of a few services and engines, some said again, some by clocks that are wrong."""
    for number in range(25):
        back = timedelta(hours=dice.choice([0, 1, 23, 24, 25, 24 * 8, 24 * 29, 24 * 31]), minutes=dice.randrange(3))
        ahead = timedelta(days=400) if dice.random() < 0.02 else timedelta()
        at = load.ingested_at - back + ahead
        again = dice.randrange(100)
        status, ms = dice.choice([200, 200, 200, 503, None]), dice.choice([3, 999.9, 1000, 2500, None])
        world.probe(f"probe-{again}", f"service-{dice.randrange(3)}", at, status, ms)
        seconds, cost = dice.choice([None, 0.004, 12.25]), dice.choice([None, None, 0, 0.0123])
        engine = f"engine-{dice.randrange(3)}"
        world.query(f"query-{number}-{again}", at, engine=engine, seconds=seconds or (None if cost else 1), cost=cost)


def _event(world: World, dice: random.Random, load: Load, emits_conversions: bool) -> None:
    at = (
        FIRST_DAY
        + dice.choice([hours(12 * n) for n in range(2 * DAYS)])
        + dice.choice([hours(0), hours(0), hours(2.5)])
    )
    user, campaign = f"user-{dice.randrange(14)}", f"campaign-{dice.randrange(7)}"
    common: dict[str, Any] = {"segment": dice.choice(["A", "B", None]), "event_id": None}
    if dice.random() < 0.05:
        common["event_id"] = id_of("again", dice.randrange(10))
    seen: dict[str, Any] = {
        **common,
        "creative_id": id_of("creative", dice.randrange(3)) if dice.random() < 0.7 else None,
    }
    money: dict[str, Any] = {"order": f"{user}-{dice.randrange(6)}", "value": dice.randrange(1, 9999) / 100}
    priced = {**money, "currency": dice.choice(CURRENCIES)}
    kind = dice.randrange(6)
    if kind == 0:
        world.sent(user, campaign, at, channel=dice.choice(CHANNELS), is_holdout=dice.random() < 0.3, **seen)
    elif kind == 1:
        view, channel = dice.choice(["opened", "received", "clicked_cta"]), dice.choice([None, *CHANNELS])
        world.viewed(user, campaign, at, kind=view, delivery_channel=channel, **seen)
    elif kind in (2, 3):
        world.clicked(user, campaign, at, **seen)
    elif kind == 4 and emits_conversions:
        world.converted(user, campaign, at, **priced, **seen)
    else:
        world.purchased(user, at, **priced, **common)


def _some(dice: random.Random, choices: Sequence[T]) -> list[T]:
    return [choice for choice in choices if dice.random() < 0.5]


def _day(number: int) -> date:
    return (FIRST_DAY + timedelta(days=number)).date()
