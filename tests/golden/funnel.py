"""The worked example of specification 02-metrics.md (metrics 1, 2, 3 and 5) as a world.

384,230 impressions, 14,562 clicks, 1,284 converting users, $18,450 revenue, $14,500 spend.
"""

from __future__ import annotations

from datetime import timedelta

from tests.oracles.world import Load, World, midnight

CAMPAIGN = "funnel"
DAY = "2025-06-15"
_SENT, _IMPRESSIONS, _CLICKS, _CONVERSIONS = 230, 384_230, 14_562, 1_284
_REVENUE_CENTS, _SPEND = 18_450_00, 14_500

EXPECTED = {
    "ctr": (100 * _CLICKS / _IMPRESSIONS, 3.790),
    "conversion_rate": (100 * _CONVERSIONS / _CLICKS, 8.818),  # 8.81747: the specification rounded twice
    "cpc": (_SPEND / _CLICKS, 0.9957),
    "roas": (_REVENUE_CENTS / 100 / _SPEND, 1.2724),
}
"""Metric to its value, exactly and as the specification prints it."""


def funnel() -> World:
    """A paid campaign with a few sends of its own: the rest of its impressions is the platform's count."""
    start = midnight(DAY)
    world = World([Load(start + timedelta(hours=23))])
    world.campaign(CAMPAIGN, platform="meta", budget=20_000)
    shown = _IMPRESSIONS - _SENT
    world.spend(CAMPAIGN, start.date(), _SPEND, currency="USD", impressions=shown, clicks=9_999)
    for n in range(_SENT):
        world.sent(f"user-{n}", CAMPAIGN, start + timedelta(seconds=n), channel="in_app")
    for n in range(_CLICKS):
        world.clicked(f"user-{n}", CAMPAIGN, start + timedelta(hours=1, seconds=n))
    base, rest = divmod(_REVENUE_CENTS, _CONVERSIONS)
    for n in range(_CONVERSIONS):
        value = (base + (n < rest)) / 100
        world.converted(f"user-{n}", CAMPAIGN, start + timedelta(hours=8, seconds=n), order=f"order-{n}", value=value)
    return world
