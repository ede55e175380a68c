"""Who is about in one part of the world's time, and when within it."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from models_ml.simulation.customers import Customers
from models_ml.simulation.ids import Array
from models_ml.simulation.seasons import HOUR_MS, HOURS, RHYTHMS, Part, hour_overlap
from models_ml.simulation.world import DAY_MS

_OFF_SEASON = 0.3


class Crowd:
    """The customers that are active throughout a part, each with a weight by habit, weekday, season and hour."""

    def __init__(self, customers: Customers, part: Part, first_day: date) -> None:
        self._customers = customers
        day = first_day + timedelta(days=part.day)
        hours = hour_overlap(part.start, part.end)
        mass = RHYTHMS * hours
        begin = part.start - part.start % DAY_MS + np.arange(24) * HOUR_MS
        self._begin = np.maximum(begin, part.start)
        self._length = np.rint(hours * HOUR_MS)
        self._end = part.end
        self._cumulative = np.cumsum(mass, axis=1) / mass.sum(axis=1, keepdims=True)
        self._company_hours = np.cumsum(HOURS * hours) / (HOURS @ hours)
        present = (customers.signed_up <= part.start) & (customers.left >= part.end)
        active = present * mass.sum(axis=1)[customers.rhythm]
        self.visits = np.cumsum(active * customers.habit("visits"))
        self.orders = np.cumsum(active * customers.habit("orders") * _calendar(customers, day))

    def draw(self, rng: np.random.Generator, cumulative: Array, size: int) -> Array:
        """Customers at random, by ``visits`` or ``orders``."""
        found = np.searchsorted(cumulative, rng.random(size) * cumulative[-1], side="right")
        return np.asarray(np.minimum(found, len(cumulative) - 1))

    def times(self, rng: np.random.Generator, users: Array) -> Array:
        """One instant of the part for each customer, by the hours of their rhythm."""
        rhythm = self._customers.rhythm[users]
        at = np.searchsorted(
            (self._cumulative + np.arange(len(RHYTHMS))[:, None]).ravel(), rng.random(len(users)) + rhythm
        )
        return self._within(rng, at - 24 * rhythm.astype(np.int64))

    def company_times(self, rng: np.random.Generator, size: int) -> Array:
        """Instants of the part by the hours of the company as a whole."""
        return self._within(rng, np.searchsorted(self._company_hours, rng.random(size)))

    def _within(self, rng: np.random.Generator, hour: Array) -> Array:
        hour = np.clip(hour, 0, 23)
        time = self._begin[hour] + (rng.random(len(hour)) * self._length[hour]).astype(np.int64)
        return np.asarray(np.minimum(time, self._end - 1))


def _calendar(customers: Customers, day: date) -> Array:
    """What each customer's order rate is multiplied by on a day."""
    season = customers.habit("season")
    factor = np.where(season > 1, np.where(customers.season == day.month, season, _OFF_SEASON), 1.0)
    return factor * customers.habit("weekend") if day.weekday() >= 5 else factor
