"""Shopping: visits, carts and orders of everyday life, and the checkout through which every order goes."""

from __future__ import annotations

import numpy as np
import polars as pl

from models_ml.simulation.catalog import CATEGORIES, PRODUCTS_PER_CATEGORY, STORES_PER_REGION
from models_ml.simulation.company import Company
from models_ml.simulation.crowd import Crowd
from models_ml.simulation.customers import PATTERNS, REGION_CURRENCY
from models_ml.simulation.ids import Array, fresh_numbers
from models_ml.simulation.ledger import Ledger
from models_ml.simulation.pool import Columns, Pool, rows
from models_ml.simulation.seasons import Part
from models_ml.simulation.wording import ABSENT, FREE_WORDS, Wording
from models_ml.simulation.world import DAY_MS

ORDER_SHARE = 0.035
ABANDONED_CART_SHARE = 0.012
_CART_SHARE = 0.8
_NO_ORDER = -1
_SCREENS = {
    "app_open": "home",
    "view_rewards": "rewards",
    "view_catalog": "catalog",
    "search": "search",
    "save_item": "saved",
}


class Shopping:
    """The shop of a company; remembers each customer's last order and numbers the orders from ``first_order`` on."""

    def __init__(self, company: Company, wording: Wording, ledger: Ledger, first_order: int) -> None:
        self._company = company
        self._ledger = ledger
        self._last_order = np.full(len(company.customers), _NO_ORDER)
        self._next_order = first_order
        self._engagements = wording.codes("user_engaged", "engagement_type", *_SCREENS)
        self._screens = np.array(
            [FREE_WORDS["screen_name"].index(screen) for screen in _SCREENS.values()], dtype=np.int8
        )
        self._last_touch = wording.code("campaign_converted", "attribution_model", "last_touch")

    def advance(self, rng: np.random.Generator, crowd: Crowd, clean: int, pool: Pool) -> None:
        """Orders that no campaign had a part in, and carts that nobody pays for."""
        user = crowd.draw(rng, crowd.orders, rng.poisson(ORDER_SHARE * clean))
        size = len(user)
        pool.add(
            "order",
            time=crowd.times(rng, user),
            user=user,
            campaign=np.full(size, ABSENT),
            creative=np.full(size, ABSENT),
            touched=np.full(size, ABSENT),
            basket=self._company.customers.habit("basket")[user] * rng.gamma(4.0, 0.25, size),
            caused=np.zeros(size, dtype=bool),
            spend_day=np.full(size, ABSENT),
        )
        user = crowd.draw(rng, crowd.visits, rng.poisson(ABANDONED_CART_SHARE * clean))
        value = self._company.customers.habit("basket")[user] * rng.gamma(4.0, 0.3, len(user))
        carts = {"time": crowd.times(rng, user), "user": user, "session": fresh_numbers(rng, len(user))}
        self._carts(rng, carts | {"cart_value": value.round(2), "is_cleared": rng.random(len(user)) < 0.25}, pool)

    def checkout(self, rng: np.random.Generator, part: Part, orders: Columns, pool: Pool) -> pl.DataFrame:
        """Turn due orders into events of this part; returns their items as rows of the reference ``order_items``."""
        orders = rows(orders, np.lexsort((orders["time"], orders["user"])))
        size, user, time = len(orders["time"]), orders["user"], orders["time"]
        catalog, people = self._company.catalog, self._company.customers
        orders["order_id"] = np.arange(self._next_order, self._next_order + size, dtype=np.uint64)
        self._next_order += size
        orders["money"] = REGION_CURRENCY[people.region[user]]
        rate = catalog.rates[part.day, orders["money"]]
        orders["order_value"] = np.maximum(np.round(orders["basket"] / rate, 2), 3.0)
        focused = (people.pattern[user] == PATTERNS.index("CATEGORY_FOCUSED")) & (rng.random(size) < 0.85)
        orders["category"] = np.where(focused, people.category[user], rng.integers(0, len(CATEGORIES), size))
        orders["session"] = fresh_numbers(rng, size)
        previous = self._previous_orders(user, time)
        self._purchases(rng, orders, previous, pool)
        self._conversions(rng, part, orders, pool)
        self._way_to_checkout(rng, part, orders, pool)
        self._ledger.ordered(orders, orders["order_value"] * rate)
        return self._items(rng, orders)

    def visits(self, rng: np.random.Generator, part: Part, crowd: Crowd, size: int) -> Columns:
        """Exactly ``size`` events of people looking around, in sessions within the part; they fill a part up."""
        length = rng.integers(2, 9, size // 2 + 1)
        stop = np.cumsum(length)
        length = length[: int(np.searchsorted(stop, size)) + 1]
        user = crowd.draw(rng, crowd.visits, len(length))
        gap = rng.uniform(4, 40, len(length)) * 1000
        latest = np.maximum(part.end - 1 - length * gap, part.start)
        begin = crowd.times(rng, user)
        begin = np.where(begin > latest, np.maximum(2 * latest - begin, part.start), begin)
        session = np.repeat(np.arange(len(length)), length)[:size]
        place = np.arange(size) - np.repeat(np.cumsum(length) - length, length)[:size]
        offset = place * gap[session] + rng.integers(0, 1000, size)
        time = np.minimum(begin[session] + offset, part.end - 1).astype(np.int64)
        looks = {"time": time, "user": user[session], "session": fresh_numbers(rng, len(length))[session]}
        action = np.where(place == 0, 0, rng.choice(np.array([1, 2, 2, 2, 2, 3, 3, 4]), size))
        return looks | self._actions(rng, action, offset // 1000)

    def _actions(self, rng: np.random.Generator, action: Array, seconds: Array) -> Columns:
        """What is done on which screen, some seconds into the session."""
        queries = rng.integers(0, len(FREE_WORDS["search_query"]), len(action))
        return {
            "engagement_type": self._engagements[action],
            "session_duration_seconds": seconds.astype(np.int64),
            "screen_name": self._screens[action],
            "search_query": np.where(action == list(_SCREENS).index("search"), queries, ABSENT),
        }

    def _previous_orders(self, user: Array, time: Array) -> Array:
        """When each user had ordered before; rows are in the order of user and time."""
        same = np.concatenate([[False], user[1:] == user[:-1]]) if len(user) else np.zeros(0, bool)
        previous = np.where(same, np.concatenate([time[:1], time[:-1]]), self._last_order[user])
        self._last_order[user] = time
        return np.asarray(previous)

    def _purchases(self, rng: np.random.Generator, orders: Columns, previous: Array, pool: Pool) -> None:
        size = len(orders["time"])
        promo = rng.random(size) < np.where(orders["campaign"] >= 0, 0.5, 0.06)
        discount = np.round(orders["order_value"] * rng.uniform(0.05, 0.25, size), 2) * promo
        since = np.where(previous == _NO_ORDER, ABSENT, (orders["time"] - previous) // DAY_MS)
        columns = {
            name: orders[name] for name in ("time", "user", "session", "order_id", "order_value", "money", "category")
        }
        pool.add(
            "user_purchased",
            **columns,
            payment_method=rng.choice(np.array([0, 0, 0, 0, 1, 1, 2]), size),
            promo_code_used=promo,
            promotional_discount=discount,
            is_repeat_purchase=previous != _NO_ORDER,
            days_since_last_purchase=since,
        )
        redeemed = {name: orders[name] for name in ("time", "user", "session", "campaign", "order_id", "money")}
        redeemed["discount_amount"] = discount
        pool.add("promotion_redeemed", **rows(redeemed, promo & (orders["campaign"] >= 0)))

    def _conversions(self, rng: np.random.Generator, part: Part, orders: Columns, pool: Pool) -> None:
        """The source's own statement about campaigns; its score knows something about the truth, but not all."""
        kept = ("time", "user", "session", "campaign", "creative", "order_id", "order_value", "money")
        columns = {name: orders[name] for name in kept}
        score = np.where(orders["caused"], rng.beta(4, 2, len(columns["time"])), rng.beta(2, 4, len(columns["time"])))
        columns["conversion_delay_seconds"] = (orders["time"] - orders["touched"]) // 1000
        columns["attribution_model"] = np.full(len(score), self._last_touch)
        columns["is_incremental"] = score > 0.5
        columns["incrementality_score"] = score.round(3)
        columns["time"] = np.minimum(columns["time"] + rng.integers(100, 50_000, len(score)), part.end - 1)
        pool.add("campaign_converted", **rows(columns, orders["campaign"] >= 0))

    def _way_to_checkout(self, rng: np.random.Generator, part: Part, orders: Columns, pool: Pool) -> None:
        """A look at the app and at the catalog, then mostly a cart, in the order's session and in this part."""
        size = len(orders["time"])
        before = rng.integers(120_000, 900_000, size)
        for action, earlier in ((0, before), (2, before * 2 // 3)):
            looks = {"time": np.maximum(orders["time"] - earlier, part.start)}
            looks |= {"user": orders["user"], "session": orders["session"]}
            pool.add("user_engaged", **looks, **self._actions(rng, np.full(size, action), (before - earlier) // 1000))
        carts = {"time": np.maximum(orders["time"] - before // 3, part.start), "cart_value": orders["order_value"]}
        carts |= {"user": orders["user"], "session": orders["session"], "is_cleared": np.zeros(size, dtype=bool)}
        self._carts(rng, rows(carts, rng.random(size) < _CART_SHARE), pool)

    def _carts(self, rng: np.random.Generator, carts: Columns, pool: Pool) -> None:
        pool.add(
            "cart_updated",
            **carts,
            cart_id=carts["session"],
            product=rng.integers(0, self._company.catalog.products, len(carts["time"])),
            money=REGION_CURRENCY[self._company.customers.region[carts["user"]]],
        )

    def _items(self, rng: np.random.Generator, orders: Columns) -> pl.DataFrame:
        """One to three different products per order whose amounts sum to the order's value to the cent."""
        size, products = len(orders["time"]), self._company.catalog.products
        count = rng.integers(1, 4, size)
        order = np.repeat(np.arange(size), count)
        place = np.arange(len(order)) - np.repeat(np.cumsum(count) - count, count)
        first = orders["category"] * PRODUCTS_PER_CATEGORY + rng.integers(0, PRODUCTS_PER_CATEGORY, size)
        product = (first[order] + place * rng.integers(1, products // 3, size)[order]) % products
        cents = np.rint(orders["order_value"] * 100).astype(np.int64)
        part = cents[order] // count[order]
        part += np.where(place == 0, (cents - cents // count * count)[order], 0)
        quantity = rng.choice(np.array([1, 1, 1, 2]), len(order))
        price = part / 100 / quantity
        people = self._company.customers
        local = people.pattern[orders["user"]] == PATTERNS.index("LOCATION_CLUSTERED")
        wandering = people.region[orders["user"]] * STORES_PER_REGION + rng.integers(0, STORES_PER_REGION, size)
        store = np.where(local, people.store[orders["user"]], np.where(rng.random(size) < 0.4, wandering, ABSENT))
        return pl.DataFrame(
            {
                "order": orders["order_id"][order],
                "product": product,
                "quantity": quantity,
                "unit_price": price.round(4),
                "unit_cost": (price * (1 - self._company.catalog.margin[product])).round(4),
                "money": orders["money"][order],
                "store": store[order],
            }
        )
