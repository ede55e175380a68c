"""The truth about a simulated company, in the form in which it is written beside the data."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from models_ml.simulation.campaigns import TYPES
from models_ml.simulation.company import Company
from models_ml.simulation.customers import CHANNELS, NEVER
from models_ml.simulation.ids import Array
from models_ml.simulation.ledger import Ledger
from models_ml.simulation.lines import campaign_ids, creative_ids, user_ids
from models_ml.simulation.seasons import RHYTHM_NAMES


@dataclass(frozen=True)
class FileTruth:
    """What one event file holds. ``lines`` = ``clean`` + ``repeats`` + ``rejected``.

    ``clean`` lines carry an event of their own, ``late`` ones of them days after it happened. ``repeats`` carry an id
    that an earlier line carries: of this file, or (``repeats_of_earlier_files``) of an earlier one; ``changed_repeats``
    differ from that line. ``reasons`` counts the rejected lines by each reason that applies.
    ``older_than_a_day``: clean lines and repeats of earlier files that happened more than 24 hours before the end of the
    world, which are late for whoever takes in all files at that instant.
    """

    file: str
    lines: int
    clean: int
    late: int
    repeats: int
    repeats_of_earlier_files: int
    changed_repeats: int
    rejected: int
    older_than_a_day: int
    reasons: dict[str, int]


@dataclass(frozen=True)
class Truth:
    """Everything that is known about a company and its files.

    ``campaigns``: one record per campaign (arms, conversions, expected and realized effect, response curve);
    ``lift``: the same effects by campaign and behavior pattern; ``response``: spend of paid media, the revenue that it
    was expected to cause and did cause, by campaign and day, in the base currency; ``customers``: pattern, churn
    hazard and departure; ``creatives``: what each multiplies the chance of a click by; ``marked_lines``: file, line
    number, mark and reasons of every line that is not plainly clean.
    """

    world: dict[str, Any]
    totals: dict[str, int | float]
    events_by_type: dict[str, int]
    files: tuple[FileTruth, ...]
    campaigns: tuple[dict[str, Any], ...]
    lift: pl.DataFrame
    response: pl.DataFrame
    customers: pl.DataFrame
    creatives: pl.DataFrame
    marked_lines: pl.DataFrame

    def write(self, folder: Path) -> None:
        """Write ``truth.json`` and one Parquet file per table."""
        folder.mkdir(parents=True, exist_ok=True)
        document = {
            "world": self.world,
            "totals": self.totals,
            "events_by_type": self.events_by_type,
            "files": [asdict(file) for file in self.files],
            "campaigns": self.campaigns,
        }
        (folder / "truth.json").write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
        for name in ("lift", "response", "customers", "creatives", "marked_lines"):
            getattr(self, name).write_parquet(folder / f"{name}.parquet")


def make_truth(company: Company, ledger: Ledger, files: list[FileTruth], marked_lines: pl.DataFrame) -> Truth:
    """Put together what the company was made with and what the ledger counted."""
    return Truth(
        world=asdict(company.world) | {"end": company.world.end.isoformat(), "first_day": str(company.world.first_day)},
        totals=_totals(ledger, files),
        events_by_type=dict(sorted(ledger.events_by_type.items())),
        files=tuple(files),
        campaigns=tuple(_campaigns(company, ledger)),
        lift=_lift(company, ledger),
        response=_response(company, ledger),
        customers=_customers(company),
        creatives=_creatives(company),
        marked_lines=marked_lines,
    )


def _totals(ledger: Ledger, files: list[FileTruth]) -> dict[str, int | float]:
    counted = ("lines", "clean", "late", "repeats", "rejected", "older_than_a_day")
    totals: dict[str, int | float] = {name: sum(getattr(file, name) for file in files) for name in counted}
    return totals | {"orders": ledger.orders, "order_revenue": round(ledger.order_revenue, 4)}


def _lift(company: Company, ledger: Ledger) -> pl.DataFrame:
    lift = ledger.lift()
    ids = campaign_ids(company).gather(lift["campaign"]).alias("campaign_id")
    return lift.select(ids, pl.exclude("campaign"))


def _campaigns(company: Company, ledger: Ledger) -> list[dict[str, Any]]:
    campaigns, kinds = company.campaigns, tuple(TYPES)
    effects = {row["campaign"]: row for row in ledger.lift().drop("pattern").group_by("campaign").sum().to_dicts()}
    records = []
    for index, campaign_id in enumerate(campaign_ids(company)):
        record: dict[str, Any] = {
            "campaign_id": campaign_id,
            "campaign_type": kinds[campaigns.kind[index]],
            "platform": campaigns.platform[index],
        }
        if campaigns.is_paid[index]:
            record["response"] = _curve(company, ledger, index)
        else:
            record["delivery_channel"] = CHANNELS[campaigns.channel[index]]
            record["lift"] = _effect(company, index, effects.get(index))
        records.append(record)
    return records


def _effect(company: Company, index: int, effect: dict[str, Any] | None) -> dict[str, Any]:
    """What the message of an owned campaign does; the expected lift is the mean over its treated users."""
    campaigns = company.campaigns
    known = {
        "holdout_share": float(campaigns.holdout_share[index]),
        "baseline": float(campaigns.baseline[index]),
        "lift_before_habits": float(campaigns.lift[index]),
    }
    if effect is None:
        return known | {"treated": 0, "holdout": 0}
    rates = {"expected_lift": effect["expected_incremental"] / effect["treated"]} if effect["treated"] else {}
    return known | rates | {name: value for name, value in effect.items() if name != "campaign"}


def _curve(company: Company, ledger: Ledger, index: int) -> dict[str, float]:
    campaigns = company.campaigns
    spend = campaigns.spend[index]
    return {
        "scale": float(campaigns.scale[index]),
        "exponent": float(campaigns.exponent[index]),
        "spend": float(spend.sum()),
        "expected_revenue": float((campaigns.scale[index] * spend ** campaigns.exponent[index] * (spend > 0)).sum()),
        "caused_revenue": float(ledger.caused_by_spend[index].sum()),
        "reported_per_click": float(campaigns.reported_clicks[index]),
        "reported_per_conversion": float(campaigns.reported_conversions[index]),
    }


def _response(company: Company, ledger: Ledger) -> pl.DataFrame:
    campaigns = company.campaigns
    campaign, day = np.nonzero(campaigns.spend)
    spend = campaigns.spend[campaign, day]
    return pl.DataFrame(
        {
            "campaign_id": campaign_ids(company).gather(campaign),
            "date": pl.Series([company.world.first_day + timedelta(days=int(number)) for number in day], dtype=pl.Date),
            "spend": spend,
            "expected_revenue": campaigns.scale[campaign] * spend ** campaigns.exponent[campaign],
            "caused_revenue": ledger.caused_by_spend[campaign, day],
        }
    )


def _customers(company: Company) -> pl.DataFrame:
    people = company.customers
    return pl.DataFrame(
        {
            "user_id": user_ids(company)[: len(people)],
            "rhythm": pl.Series(RHYTHM_NAMES).gather(people.rhythm.astype(np.int64)),
            "hazard_per_day": people.hazard,
            "relative_order_rate": people.habit("orders"),
            "mean_basket": people.habit("basket"),
            "open_probability": people.habit("opens"),
            "signed_up_at": _instants(people.signed_up),
            "left_at": _instants(people.left),
            "unsubscribed_at": _instants(people.unsubscribed),
        }
    )


def _creatives(company: Company) -> pl.DataFrame:
    campaign = np.repeat(np.arange(len(company.campaigns)), company.campaigns.creatives)
    return pl.DataFrame(
        {
            "creative_id": creative_ids(company),
            "campaign_id": campaign_ids(company).gather(campaign),
            "click_multiplier": company.campaigns.creative_appeal,
        }
    )


def _instants(milliseconds: Array) -> pl.Series:
    known = pl.Series(milliseconds)
    return known.set(known == NEVER, None).cast(pl.Datetime("ms", "UTC"))
