"""A company's time, part by part: every part's clean events as columns, in any quantity, with the truth beside them."""

from __future__ import annotations

import polars as pl

from models_ml.simulation.advertising import Advertising, acquisitions
from models_ml.simulation.company import Company
from models_ml.simulation.crowd import Crowd
from models_ml.simulation.ids import stream_key
from models_ml.simulation.ledger import Ledger
from models_ml.simulation.membership import Membership
from models_ml.simulation.operations import Operations
from models_ml.simulation.outreach import Outreach
from models_ml.simulation.pool import Columns, Pool, join
from models_ml.simulation.seasons import Part
from models_ml.simulation.shopping import Shopping
from models_ml.simulation.wording import Wording


class Stream:
    """Advances through parts in the order of time. ``name`` keeps the chances of two streams of a company apart;
    ``position`` is how far its campaigns have already gone through their audience.
    """

    def __init__(self, company: Company, wording: Wording, *name: int | str, position: int = 0) -> None:
        self._company = company
        self._name = name
        self._pool = Pool(company.world.end_ms)
        self.ledger = Ledger(company)
        self.acquired_by = acquisitions(company)
        self._outreach = Outreach(company, wording, self.ledger, position=position)
        self._advertising = Advertising(company, self.acquired_by)
        self._shopping = Shopping(company, wording, self.ledger, stream_key(*name) >> 1)
        self._membership = Membership(company, wording)
        self._operations = Operations(company, wording)
        self._due = 0
        self._made = 0

    def advance(self, part: Part, clean: int) -> tuple[dict[str, Columns], pl.DataFrame]:
        """The next part's events by type, ``clean`` of them, and the items of its orders.

        Journeys decide what must happen; people looking around fill the part up. When the journeys alone are more
        (few lines for many customers), later parts make up for it.
        """
        rng = self._company.world.rng("part", *self._name, part.index)
        crowd = Crowd(self._company.customers, part, self._company.world.first_day)
        self._outreach.advance(rng, part, crowd, clean, self._pool)
        self._advertising.advance(rng, part, crowd, self._pool)
        self._shopping.advance(rng, crowd, clean, self._pool)
        self._membership.advance(rng, part, crowd, clean, self._pool)
        self._operations.advance(rng, part, crowd, self._pool)
        orders = self._pool.take_kind("order", part.end)
        items = pl.DataFrame() if orders is None else self._shopping.checkout(rng, part, orders, self._pool)
        events = self._pool.take(part.end)
        self._due += clean
        self._made += sum(len(columns["time"]) for columns in events.values())
        if self._made < self._due:
            visits = self._shopping.visits(rng, part, crowd, self._due - self._made)
            events["user_engaged"] = join([*([events["user_engaged"]] if "user_engaged" in events else []), visits])
            self._made = self._due
        for kind, columns in events.items():
            self.ledger.happened(kind, columns)
        return events, items
