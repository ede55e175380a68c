"""Writes rfm.md and rfm.svg beside itself: ``python docs/models/rfm.py``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

import polars as pl
from guide import write
from matplotlib.figure import Figure
from shops import JOURNEY_END, journey_lines, orders

from models_ml.customers import (
    RfmCutPoints,
    behavior_patterns,
    fit_rfm,
    lifecycle_stages,
    order_milestones,
    score_rfm,
)

AS_OF, DAY = datetime(2017, 12, 1, 5), timedelta(days=1)  # noqa: DTZ001

PAGE = """# RFM, lifecycle and behavior

**What it answers.** Who are the best customers, at which stage does each stand, and what stands out in how they shop? Simple rules
that a marketer can repeat by hand, over what the warehouse has counted.

```python
cuts = fit_rfm(customers)                 # recency_days, frequency, monetary of the active customers
score_rfm(customers, cuts)                # scores 1–5, composite 4R + 3F + 3M, is_vip
lifecycle_stages(customers, as_of)        # NEW, ACTIVE, AT_RISK, INACTIVE, REACTIVATED
behavior_patterns(customers, as_of)       # eight patterns with a score and a reason
```

All figures are of completejourney on December 1, 2017: {customers:,} households with an order in the 180 days before.

**How to read it.** A score says in which fifth of the other customers one stands: percent rank .2 earns a 2, .8 a 5. Who shares a
value shares the score, by the lowest place of it; so fifths need not be equally large. The cut points are kept with a version
that names their content (here `{version}`); scoring later customers by older cut points makes scores of different months compare.

| score | days since the last order | orders in 180 days | spend in 180 days |
|---|---|---|---|
{cuts}

VIPs, with a composite of 38 and more, are {vip:.1%} of the households. They make {vip_spend:.1%} of what was spent in the December
after.

![Spend in the following December by composite](rfm.svg)

| stage | households | ordered in December |
|---|---|---|
{stages}

| pattern | households | primary | first reason in the list |
|---|---|---|---|
{patterns}

A pattern's score is ½ at its threshold and 1 where it can't be stronger, so scores compare and the highest is primary. Shares need
five orders to count: below that they are noise.

**When not to trust it.**

- A snapshot ranks customers against each other: when all get worse, the scores stay. Score by an older version to see it.
- Few distinct values: with hardly any repeat orders, frequency separates nobody, and one score carries most customers.
- The first months of a shop: everyone is NEW, recency is short for all.
- What somebody will do: that is churn and lifetime value. RFM only says what was.
"""


@dataclass(frozen=True)
class Snapshot:
    """Everything on one day, and what was spent in the month after."""

    cuts: RfmCutPoints
    scored: pl.DataFrame
    stages: pl.DataFrame
    patterns: pl.DataFrame


@cache
def results() -> Snapshot:
    """All of the day."""
    lines = journey_lines()
    bought = orders(lines)
    before = bought.filter(pl.col("ordered_at") < AS_OF)
    later = (
        bought.filter(pl.col("ordered_at") >= AS_OF, pl.col("ordered_at") < JOURNEY_END)
        .group_by("customer_id")
        .agg(later=pl.col("amount").sum())
    )
    recency = (pl.lit(AS_OF) - pl.col("ordered_at").max()) / DAY
    customers = (
        before.filter(pl.col("ordered_at") >= AS_OF - 180 * DAY)
        .group_by("customer_id")
        .agg(recency_days=recency.floor(), frequency=pl.len(), monetary=pl.col("amount").sum())
        .sort("customer_id")
    )
    cuts = fit_rfm(customers)
    assert isinstance(cuts, RfmCutPoints)
    milestones = order_milestones(before, AS_OF).with_columns(signed_up_at=pl.lit(None, pl.Datetime("us")))
    return Snapshot(
        cuts,
        score_rfm(customers, cuts).join(later, on="customer_id", how="left").with_columns(pl.col("later").fill_null(0)),
        lifecycle_stages(milestones, AS_OF).join(later, on="customer_id", how="left"),
        behavior_patterns(_behavior(lines.filter(pl.col("ordered_at") < AS_OF)), AS_OF),
    )


def _behavior(lines: pl.DataFrame) -> pl.DataFrame:
    """What the warehouse counts for behavior patterns."""
    local = pl.col("ordered_at").dt.replace_time_zone("UTC").dt.convert_time_zone("America/New_York")
    recent = lines.filter(pl.col("ordered_at") >= AS_OF - 90 * DAY)
    baskets = recent.group_by("customer_id", "basket_id").agg(
        weekend=(local.min().dt.weekday() >= 6), store=pl.col("store_id").first(), spend=pl.col("amount").sum()
    )
    months = lines.group_by("customer_id", month=local.dt.truncate("1mo")).agg(pl.col("amount").sum())
    category = (
        recent.group_by("customer_id", "department")
        .agg(baskets=pl.col("basket_id").n_unique())
        .group_by("customer_id")
        .agg(top=pl.col("baskets").max() / pl.col("baskets").sum())
    )
    return (
        lines.group_by("customer_id")
        .agg(
            first_order_at=pl.col("ordered_at").min(),
            last_order_at=pl.col("ordered_at").max(),
            orders_12m=pl.col("basket_id").n_unique(),
        )
        .join(
            baskets.group_by("customer_id").agg(
                orders=pl.len(),
                spend=pl.col("spend").sum(),
                weekend_share=pl.col("weekend").mean(),
                locations=pl.col("store").n_unique(),
            ),
            on="customer_id",
            how="left",
        )
        .join(category.rename({"top": "top_category_share"}), on="customer_id", how="left")
        .join(
            months.group_by("customer_id").agg(
                peak_month_spend=pl.col("amount").max(), mean_month_spend=pl.col("amount").sum() / 12
            ),
            on="customer_id",
        )
        .with_columns(pl.col("orders", "spend", "weekend_share", "locations", "top_category_share").fill_null(0))
        .sort("customer_id")
    )


def page() -> str:
    """The guide, with all its figures computed."""
    found = results()
    cuts, scored = found.cuts, found.scored
    vip = scored.filter("is_vip")
    rows = [f"| 1 | more than {-cuts.recency[0]:.0f} | below {cuts.frequency[0]:.0f} | below {cuts.monetary[0]:,.2f} |"]
    rows += [
        f"| {score} | up to {-recency:.0f} | from {frequency:.0f} | from {monetary:,.2f} |"
        for score, recency, frequency, monetary in zip(
            range(2, 6), cuts.recency, cuts.frequency, cuts.monetary, strict=True
        )
    ]
    stages = (
        found.stages.group_by("stage").agg(pl.len(), share=pl.col("later").is_not_null().mean()).sort("len", "stage")
    )
    patterns = (
        found.patterns.group_by("pattern")
        .agg(pl.len(), pl.col("is_primary").sum(), pl.col("reason").first())
        .sort("len", "pattern", descending=[True, False])
    )
    return PAGE.format(
        customers=len(scored),
        version=cuts.version,
        cuts="\n".join(rows),
        vip=len(vip) / len(scored),
        vip_spend=vip["later"].sum() / scored["later"].sum(),
        stages="\n".join(f"| {stage} | {count:,} | {share:.1%} |" for stage, count, share in stages.reverse().rows()),
        patterns="\n".join(
            f"| {name} | {count:,} | {primary:,} | {reason} |" for name, count, primary, reason in patterns.rows()
        ),
    )


def plot() -> Figure:
    """Spend of the month after by composite."""
    figure = Figure(figsize=(7, 3), layout="constrained")
    axes = figure.subplots()
    grouped = results().scored.group_by("composite", "is_vip").agg(pl.col("later").mean(), pl.len()).sort("composite")
    colors = ["#246" if is_vip else "#9ab" for is_vip in grouped["is_vip"]]
    axes.bar(grouped["composite"], grouped["later"], width=0.8, color=colors)
    axes.set(xlabel="composite on December 1 (dark: VIP)", ylabel="mean spend in December, $")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    write(__file__, page, plot, font_size=10)
