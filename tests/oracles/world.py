"""Small invented worlds, told event by event: what the simulator is for size, this is for nasty cases.

A world is a list of loads, each with an instant, event lines and reference rows. Names become ids by hash, so that the
same story gives the same lines.
"""

from __future__ import annotations

import csv
import json
import uuid
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.oracles.ingestion_oracle import IngestionOracle
from tests.oracles.references import References

COLUMNS = {
    "campaigns": [
        "campaign_id",
        "name",
        "campaign_type",
        "platform",
        "status",
        "budget",
        "daily_budget",
        "currency",
        "start_date",
        "holdout_share",
    ],
    "ad_spend_daily": [
        "campaign_id",
        "date",
        "platform",
        "impressions",
        "clicks",
        "spend",
        "conversions",
        "revenue",
        "currency",
        "reported_at",
    ],
    "fx_rates": ["date", "currency", "rate"],
    "customers": ["user_id", "signup_date"],
    "products": ["product_id", "unit_cost", "currency"],
    "order_items": ["order_id", "product_id", "quantity", "unit_cost", "currency"],
    "service_probes": ["probe_id", "service", "started_at", "status_code", "response_ms"],
    "query_costs": ["query_id", "started_at", "engine", "name", "seconds", "cost"],
}


def id_of(*names: object) -> str:
    """The UUID that stands for these names."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "/".join(map(str, names))))


@dataclass
class Load:
    """What lands together: one file of events and one per reference input."""

    ingested_at: datetime
    backfill: bool = False
    lines: list[str] = field(default_factory=list)
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        """The file of events."""
        return "".join(f"{line}\n" for line in self.lines).encode()

    def parted(self) -> tuple[Load, Load]:
        """The same load without its orders, and the orders."""
        orders = [line for line in self.lines if '"user_purchased"' in line]
        others = [line for line in self.lines if line not in orders]
        return replace(self, lines=others), replace(self, lines=orders, rows={})

    def write(self, folder: Path, number: int) -> list[Path]:
        """The files of this load, references first; none for what it lacks."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for name, rows in self.rows.items():
            path = folder / f"{name}-{number}.csv"
            with path.open("w", newline="") as file:
                writer = csv.DictWriter(file, COLUMNS[name])
                writer.writeheader()
                writer.writerows(rows)
            paths.append(path)
        if self.lines:
            path = folder / f"events-{number}.jsonl"
            path.write_bytes(self.content)
            paths.append(path)
        return paths


@dataclass
class World:
    """The teller of stories; events and rows go into the load that was named last."""

    loads: list[Load]
    _load: int = 0
    _count: int = 0

    @property
    def as_of(self) -> datetime:
        """The instant of the last load."""
        return self.loads[-1].ingested_at

    def into(self, load: int) -> None:
        """What is told from here on lands with that load."""
        self._load = load

    def event(
        self,
        event_type: str,
        user: str,
        at: datetime,
        *,
        segment: str | None = None,
        event_id: str | None = None,
        **properties: Any,
    ) -> None:
        """Any event; its id is new unless one is given. The line states the time as ``at`` does, by its own offset."""
        self._count += 1
        event = {
            "event_id": event_id or id_of("event", self._count),
            "event_type": event_type,
            "timestamp": at.isoformat().replace("+00:00", "Z"),
            "user_id": user,
            "session_id": None,
            "source": "backend",
            "properties": {name: value for name, value in properties.items() if value is not None},
            "context": {"user_segment": segment},
        }
        self.loads[self._load].lines.append(json.dumps(event))

    def sent(
        self, user: str, campaign: str, at: datetime, *, channel: str = "email", is_holdout: bool = False, **more: Any
    ) -> None:
        """A delivery."""
        about: dict[str, Any] = {"campaign_id": id_of(campaign), "delivery_channel": channel, "is_holdout": is_holdout}
        self.event("campaign_delivered", user, at, **about, **more)

    def viewed(self, user: str, campaign: str, at: datetime, *, kind: str = "opened", **more: Any) -> None:
        """A view of that kind."""
        self.event("campaign_viewed", user, at, campaign_id=id_of(campaign), view_type=kind, **more)

    def clicked(self, user: str, campaign: str, at: datetime, **more: Any) -> None:
        """A click."""
        self.event("campaign_clicked", user, at, campaign_id=id_of(campaign), **more)

    def converted(self, user: str, campaign: str, at: datetime, *, order: str, value: float, **more: Any) -> None:
        """A conversion that the origin itself emits."""
        about: dict[str, Any] = {"campaign_id": id_of(campaign), "order_id": id_of(order), "order_value": value}
        self.event("campaign_converted", user, at, **about, **more)

    def purchased(self, user: str, at: datetime, *, order: str, value: float, **more: Any) -> None:
        """An order."""
        self.event("user_purchased", user, at, order_id=id_of(order), order_value=value, **more)

    def campaign(
        self, name: str, *, campaign_type: str | None = "DISCOUNT", status: str = "active", **more: Any
    ) -> None:
        """A campaign in the reference."""
        row = {"campaign_id": id_of(name), "name": name, "campaign_type": campaign_type, "status": status, **more}
        self._row("campaigns", row)

    def spend(self, campaign: str, day: date, spend: float | None, *, platform: str = "meta", **more: Any) -> None:
        """A platform's report on a campaign and day."""
        row = {"campaign_id": id_of(campaign), "date": day, "platform": platform, "spend": spend, **more}
        self._row("ad_spend_daily", row)

    def rate(self, currency: str, day: date, rate: float) -> None:
        """A rate to the base currency."""
        self._row("fx_rates", {"date": day, "currency": currency, "rate": rate})

    def customer(self, user: str, signup: date | None) -> None:
        """Someone who signed up."""
        self._row("customers", {"user_id": user, "signup_date": signup})

    def product(self, name: str, cost: float | None, *, currency: str | None = None) -> None:
        """A product with what a unit of it costs."""
        self._row("products", {"product_id": name, "unit_cost": cost, "currency": currency})

    def item(
        self, order: str, product: str, *, quantity: int = 1, cost: float | None = None, currency: str | None = None
    ) -> None:
        """Units of a product in an order; without a cost it is the product's."""
        row = {"order_id": id_of(order), "product_id": product, "quantity": quantity}
        self._row("order_items", {**row, "unit_cost": cost, "currency": currency})

    def probe(
        self, name: str, service: str | None, at: datetime | None, status: int | None = 200, ms: float | None = 20
    ) -> None:
        """A probe of a service and how it was answered."""
        about = {"service": service, "started_at": at, "status_code": status, "response_ms": ms}
        self._row("service_probes", {"probe_id": name, **about})

    def query(
        self,
        name: str,
        at: datetime | None,
        *,
        engine: str | None = "dbt",
        seconds: float | None = None,
        cost: float | None = None,
    ) -> None:
        """A query with what it took or cost."""
        about = {"started_at": at, "engine": engine, "name": name, "seconds": seconds, "cost": cost}
        self._row("query_costs", {"query_id": name, **about})

    def judged(self, loads: int | None = None, *, from_shop: bool = False) -> tuple[IngestionOracle, References]:
        """What the oracles make of the first loads, or of all.

        ``from_shop``: orders come after the other events of their load, from an origin that emits no conversions.
        """
        lake, references = IngestionOracle(), References()
        for number, load in enumerate(self.loads[:loads], start=1):
            events, orders = load.parted() if from_shop else (load, Load(load.ingested_at))
            lake.load(f"events-{number}", events.content, load.ingested_at, backfill=load.backfill)
            lake.load(f"orders-{number}", orders.content, load.ingested_at, backfill=load.backfill, credited=True)
            for name, rows in load.rows.items():
                references.upsert(name, [{key: _text(value) for key, value in row.items()} for row in rows])
        return lake, references

    def _row(self, reference: str, row: dict[str, Any]) -> None:
        self.loads[self._load].rows.setdefault(reference, []).append(row)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def midnight(day: str) -> datetime:
    """The beginning of that UTC day."""
    return datetime.fromisoformat(day).replace(tzinfo=UTC)


def hours(number: float) -> timedelta:
    """So many hours."""
    return timedelta(hours=number)
