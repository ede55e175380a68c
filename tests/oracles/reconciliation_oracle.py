"""An independent comparison of our numbers with what the platforms report, campaign by campaign and day by day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal

from pipelines.lake.connection import Lake
from tests.oracles.facts import facts_of
from tests.oracles.ingestion_oracle import StoredEvent
from tests.oracles.references import References

MEASURES = ("impressions", "clicks", "conversions", "spend", "revenue")
Amounts = dict[date, Decimal | None]
"""By day; None: a rate is missing."""

Row = tuple[Decimal | None, Decimal | None, Decimal | None, bool, str | None]
"""Ours, reported, difference, whether it is a breach, and the reason."""


def reconciled(
    events: Iterable[StoredEvent], references: References, as_of: datetime
) -> dict[tuple[str, date, str], Row]:
    """Every row by campaign, day and measure."""
    ours, theirs = _ours(events, references), _theirs(references)
    rows: dict[tuple[str, date, str], Row] = {}
    for (campaign, measure), reported in theirs.items():
        stated = {day: amount for day, amount in reported.items() if day <= as_of.date()}
        if not any(stated.values()):
            continue
        own = {day: amount for day, amount in ours[campaign, measure].items() if day <= as_of.date()}
        is_recorded = any(own.values())
        for day in sorted({*stated, *(day for day, amount in own.items() if amount)}):
            mine, their = own.get(day, Decimal(0)) if is_recorded else None, stated.get(day)
            if day not in stated:
                gap = min(stated) < day < max(stated)
                rows[campaign, day, measure] = mine, None, None, gap, "not_reported"
            elif not is_recorded:
                rows[campaign, day, measure] = None, their, None, False, "not_recorded"
            elif mine is None or their is None:
                rows[campaign, day, measure] = mine, their, None, False, "missing_rate"
            else:
                rows[campaign, day, measure] = mine, their, mine - their, abs(mine - their) > their / 100, None
    return rows


def _ours(events: Iterable[StoredEvent], references: References) -> dict[tuple[str, str], Amounts]:
    facts = facts_of(events, references, lookback=timedelta(days=30))
    kinds = {
        "impressions": [(fact, Decimal(1)) for fact in facts.impressions],
        "clicks": [(fact, Decimal(1)) for fact in facts.clicks],
        "conversions": [(fact, Decimal(1)) for fact in facts.conversions],
        "revenue": [(fact, fact.number) for fact in facts.conversions],
        "spend": [(fact, fact.number) for fact in facts.spend],
    }
    found: dict[tuple[str, str], Amounts] = defaultdict(dict)
    for measure, counted in kinds.items():
        for fact, amount in counted:
            sums = found[fact.groups["campaign"], measure]
            _add(sums, fact.day, None if amount is None else Decimal(amount))
    return found


def _theirs(references: References) -> dict[tuple[str, str], Amounts]:
    found: dict[tuple[str, str], Amounts] = defaultdict(dict)
    for row in references.spend.values():
        stated = {
            "impressions": Decimal(row.impressions),
            "clicks": Decimal(row.clicks),
            "conversions": row.conversions,
        }
        for measure, amount in stated.items():
            if amount is not None:
                _add(found[row.campaign_id, measure], row.date, amount)
        for measure, amount in (("spend", row.spend), ("revenue", row.revenue)):
            if amount is not None:
                in_base = references.in_base_currency(amount, row.currency, row.date)
                _add(found[row.campaign_id, measure], row.date, in_base)
    return found


def _add(sums: Amounts, day: date, amount: Decimal | None) -> None:
    before = sums.get(day, Decimal(0))
    sums[day] = None if before is None or amount is None else before + amount


def reconciliation_discrepancies(
    lake: Lake, events: Iterable[StoredEvent], references: References, as_of: datetime
) -> list[str]:
    """What the mart says otherwise, one line each."""
    expected = reconciled(events, references, as_of)
    with lake.reader() as connection:
        shown: dict[tuple[str, date, str], Row] = {
            (str(campaign), day, measure): row
            for campaign, day, measure, *row in (
                connection.execute(
                    """
                    select campaign_id, event_date, measure, ours, reported, difference, is_breach, reason
                    from lake.marts.reconciliation
                    """
                ).fetchall()
            )
        }
    return [
        f"reconciliation {' '.join(map(str, key))}: shown {shown.get(key)}, expected {expected.get(key)}"
        for key in sorted({*shown, *expected}, key=str)
        if list(shown.get(key, ())) != list(expected.get(key, ()))
    ]
