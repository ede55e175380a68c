"""What the company sells and in which money: products, stores and exchange rates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from models_ml.simulation.customers import CURRENCIES
from models_ml.simulation.ids import Array
from models_ml.simulation.world import World

CATEGORIES = ("apparel", "beauty", "books", "electronics", "groceries", "home", "sports", "travel")
PRODUCTS_PER_CATEGORY = 15
STORES_PER_REGION = 6
_MEAN_RATES = np.array([1.0, 1.08, 1.27])
_RATE_DAYS_BEFORE = 7


@dataclass(frozen=True)
class Catalog:
    """Products in the order of their categories, and one exchange rate per day and currency.

    ``rates`` has shape (days, currencies): what one unit is worth in the base currency on each simulated day, by the
    latest rate that was quoted (``quoted``: on working days only, from a week before the first day).
    """

    unit_cost: Array
    margin: Array
    quoted: tuple[tuple[date, Array], ...]
    rates: Array

    @property
    def products(self) -> int:
        """Number of products."""
        return len(self.unit_cost)


def make_catalog(world: World) -> Catalog:
    """The products of a world and the exchange rates of its days."""
    rng = world.rng("catalog")
    products = len(CATEGORIES) * PRODUCTS_PER_CATEGORY
    days = world.days + _RATE_DAYS_BEFORE
    walk = np.cumsum(rng.normal(0, 0.003, (days, len(CURRENCIES))), axis=0)
    values = np.round(_MEAN_RATES * np.exp(walk), 4)
    values[:, 0] = 1.0
    calendar = [world.first_day + timedelta(days=day - _RATE_DAYS_BEFORE) for day in range(days)]
    for day in range(1, days):
        if calendar[day].weekday() >= 5:
            values[day] = values[day - 1]
    return Catalog(
        unit_cost=np.round(rng.gamma(2.5, 6.0, products) + 1.0, 2),
        margin=rng.uniform(0.25, 0.6, products),
        quoted=tuple((day, rate) for day, rate in zip(calendar, values, strict=True) if day.weekday() < 5),
        rates=values[_RATE_DAYS_BEFORE:],
    )
