"""Paid media: clicks that a day's spend buys, new customers among them, and the orders that its response curve causes."""

from __future__ import annotations

import numpy as np

from models_ml.simulation.campaigns import PAID_BASKET
from models_ml.simulation.company import Company
from models_ml.simulation.crowd import Crowd
from models_ml.simulation.customers import NOBODY
from models_ml.simulation.ids import Array, fresh_numbers
from models_ml.simulation.pool import Columns, Pool
from models_ml.simulation.seasons import Part
from models_ml.simulation.world import DAY_MS

_MEDIAN_DELAY_MS = 90 * 60_000
_LONGEST_DELAY_MS = 2 * DAY_MS
_ACQUIRED_SHARE = 0.65


def acquisitions(company: Company) -> Array:
    """The paid campaign that brought each customer who signed up in the world's days; NOBODY for the others."""
    people, world = company.customers, company.world
    found = np.full(len(people), NOBODY)
    new = np.flatnonzero((people.signed_up >= world.start_ms) & (people.chance < _ACQUIRED_SHARE))
    days = (people.signed_up[new] - world.start_ms) // DAY_MS
    for day in np.unique(days):
        # The customer's own number falls into one campaign's part of the day's spend.
        spent = np.cumsum(company.campaigns.spend[:, day])
        if len(spent) and spent[-1] > 0:
            signed = new[days == day]
            found[signed] = np.searchsorted(spent, people.chance[signed] / _ACQUIRED_SHARE * spent[-1], side="right")
    return found


class Advertising:
    """The paid campaigns of a company at work."""

    def __init__(self, company: Company, acquired_by: Array) -> None:
        self._company = company
        self._acquired_by = acquired_by

    def advance(self, rng: np.random.Generator, part: Part, crowd: Crowd, pool: Pool) -> None:
        """What the part's share of the day's spend brings: orders by the response curve, clicks by their cost."""
        campaigns = self._company.campaigns
        spend = campaigns.spend[:, part.day]
        expected = campaigns.scale * spend**campaigns.exponent * (spend > 0) / PAID_BASKET * part.share
        orders = rng.poisson(expected)
        others = rng.poisson(np.maximum(spend / campaigns.click_cost * part.share - expected, 0))
        buyers = self._buyers(rng, part, crowd, np.repeat(np.arange(len(campaigns)), orders))
        self._clicks(rng, buyers, pool)
        self._orders(rng, part, buyers, pool)
        user = crowd.draw(rng, crowd.visits, int(others.sum()))
        lookers = {
            "time": crowd.times(rng, user),
            "user": user,
            "campaign": np.repeat(np.arange(len(campaigns)), others),
        }
        self._clicks(rng, lookers, pool)

    def _buyers(self, rng: np.random.Generator, part: Part, crowd: Crowd, campaign: Array) -> Columns:
        """Who orders and when they clicked: first the campaign's newly signed-up customers, then anyone about."""
        user = crowd.draw(rng, crowd.orders, len(campaign))
        time = crowd.times(rng, user)
        people = self._company.customers
        new = np.flatnonzero(
            (people.signed_up >= part.start) & (people.signed_up < part.end) & (people.left >= part.end)
        )
        new = new[self._acquired_by[new] != NOBODY]
        new = new[np.argsort(self._acquired_by[new], kind="stable")]
        brought = self._acquired_by[new]
        rank = np.arange(len(new)) - np.searchsorted(brought, brought)
        place = np.searchsorted(campaign, brought) + rank
        fits = place < np.searchsorted(campaign, brought, side="right")
        user[place[fits]] = new[fits]
        time[place[fits]] = people.signed_up[new[fits]]
        return {"time": time, "user": user, "campaign": campaign}

    def _clicks(self, rng: np.random.Generator, clickers: Columns, pool: Pool) -> None:
        size = len(clickers["time"])
        pool.add(
            "campaign_clicked",
            **clickers,
            creative=self._company.campaigns.pick_creatives(rng, clickers["campaign"]),
            session=fresh_numbers(rng, size),
            time_to_click_seconds=rng.integers(0, 20, size),
        )

    def _orders(self, rng: np.random.Generator, part: Part, buyers: Columns, pool: Pool) -> None:
        size = len(buyers["time"])
        delay = np.minimum(_MEDIAN_DELAY_MS * np.exp(rng.normal(0, 1.0, size)), _LONGEST_DELAY_MS).astype(np.int64)
        pool.add(
            "order",
            time=np.minimum(buyers["time"] + delay, self._company.customers.left[buyers["user"]] - 1),
            user=buyers["user"],
            campaign=buyers["campaign"],
            creative=self._company.campaigns.pick_creatives(rng, buyers["campaign"]),
            touched=buyers["time"],
            basket=PAID_BASKET * rng.gamma(4.0, 0.25, size),
            caused=np.ones(size, dtype=bool),
            spend_day=np.full(size, part.day),
        )
