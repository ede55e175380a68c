"""Writes recommendations.md and recommendations.svg beside itself: ``python docs/models/recommendations.py``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

import numpy as np
import polars as pl
from guide import write
from matplotlib.figure import Figure
from shops import journey_lines, uci_lines

from models_ml.customers import (
    EngagementModel,
    ItemSimilarity,
    best_send_hours,
    evaluate,
    fit_engagement,
    fit_item_similarity,
    next_best_offers,
    recommend,
)

RECENT = timedelta(days=14)

PAGE = """# What to offer, and when

**What it answers.** Which products to show a customer next, which offer to make, at which hour to write, and how likely is it that the
message will be opened?

## Products

```python
similarity = fit_item_similarity(purchases)                       # basket_id, product_id
recommend(similarity, customers, history, excluded, count=5)      # excluded: the cart and recent purchases
```

Two products are similar by the cosine of the baskets that hold them: baskets with both over the root of the product of baskets with
each. A product's score for a customer is the sum of its cosines with what the customer bought; where nothing is similar, best
sellers follow and say so (`source`). Pairs in fewer than three baskets don't count. Lift would rank them first.

Trained on what came before a day; five products were offered to everyone who came back, and held against what they bought after it.
*Hit* is the share of offered products that were bought, *reached* the share of customers who bought one of theirs. First
without what was bought in the last 14 days, then without anything ever bought, which is the harder question.

| shop, left out | customers | hit: item-item | hit: best sellers | reached: item-item | reached: best sellers |
|---|---|---|---|---|---|
{hits}

![Share of offered products that were bought by rank, item-item and best sellers](recommendations.svg)

**When not to trust it.** Where everybody buys the same things, best sellers are nearly as good: a grocery gains less than a gift
shop. A cosine knows no order (a printer, then its ink), no price and no stock; new products have no baskets yet. The figures say what was
bought, not what was bought *because* it was offered: only a holdout tells that.

## Offers

```python
next_best_offers(candidates, as_of)    # probability, value, cost, cooldown_days, last_offered_at per customer and offer
```

The offer with the largest probability × value − cost, of those whose cooldown has passed:

| customer | offer | expected profit | outcome |
|---|---|---|---|
{offers}

The second customer's cash-back would pay best, but was offered five days ago. Don't trust it further than its probabilities: take
calibrated ones, best of all uplifts, or offers go to those who would have bought anyway.

## Hours

```python
best_send_hours(responses, kappa=20)   # responses per customer and hour, of one channel
```

Of a made-up crowd that opens at {crowd_hour}:00, customers who themselves opened at 7:00 are written to at:

| own opens at 7:00 | hour | weight of the own habit |
|---|---|---|
{hours}

Counts are smoothed over the neighboring hours and shrunk to everyone's profile, which weighs like 20 opens. Hours without any sends have
no opens either: let a part of the messages go out at other hours, or the profile only confirms itself.

## Engagement

```python
index = engagement_index(events, as_of, EngagementRules({{"email_opened": 1, "email_clicked": 3}}, half_life_days=30))
model = fit_engagement(index_when_sent, opened)       # the index as a probability
model.probability(index)
```

On {messages:,} made-up messages that follow such a habit, {trained:,} of them to fit, the probabilities have an AUC of {auc} and a
calibration error of {ece:.3f} on the rest. Where responses don't rise with the index there is a reason instead: the weights are wrong.
Opens that mail programs make by themselves count as opens; clicks are the safer target.
"""


@dataclass(frozen=True)
class Trial:
    """Recommendations held against what was bought later: per rank the share of hits; and who was reached."""

    name: str
    customers: int
    hits: dict[str, np.ndarray]
    reached: dict[str, float]


def tried(shop: str, lines: pl.DataFrame, cutoff: datetime) -> list[Trial]:
    """Both questions on one shop."""
    before, after = lines.filter(pl.col("ordered_at") < cutoff), lines.filter(pl.col("ordered_at") >= cutoff)
    bought = after.select("customer_id", "product_id").unique()
    history = before.select("customer_id", "product_id").unique()
    people = bought.join(history, on="customer_id", how="semi")["customer_id"].unique().sort()
    recent = before.filter(pl.col("ordered_at") >= cutoff - RECENT).select("customer_id", "product_id").unique()
    similarity = fit_item_similarity(before)
    assert isinstance(similarity, ItemSimilarity)
    trials = []
    for left_out, excluded in (("the last 14 days", recent), ("all bought before", history)):
        hits, reached = {}, {}
        for way, seen in (("item-item", history), ("best sellers", history.clear())):
            offered = recommend(similarity, people, seen, excluded)
            hit = offered.join(bought, on=["customer_id", "product_id"], how="semi")
            hits[way] = np.array([(hit["rank"] == rank).sum() / len(people) for rank in range(1, 6)])
            reached[way] = hit["customer_id"].n_unique() / len(people)
        trials.append(Trial(f"{shop}, {left_out}", len(people), hits, reached))
    return trials


@cache
def results() -> list[Trial]:
    """Both shops."""
    return [
        *tried("UCI Online Retail", uci_lines(), datetime(2011, 10, 10)),  # noqa: DTZ001
        *tried("completejourney", journey_lines(), datetime(2017, 12, 1, 5)),  # noqa: DTZ001
    ]


def offers() -> pl.DataFrame:
    """A small example."""
    now = datetime(2025, 3, 1)  # noqa: DTZ001
    rows = [
        ("ada", "CASHBACK", 0.10, 60.0, 4.0, 14, None),
        ("ada", "DISCOUNT", 0.20, 45.0, 5.0, 14, None),
        ("ben", "CASHBACK", 0.30, 60.0, 4.0, 14, now - timedelta(days=5)),
        ("ben", "LOYALTY", 0.15, 40.0, 1.0, 14, None),
        ("eve", "DISCOUNT", 0.05, 45.0, 5.0, 14, None),
    ]
    names = ["customer_id", "offer", "probability", "value", "cost", "cooldown_days", "last_offered_at"]
    return next_best_offers(pl.DataFrame(rows, schema=names, orient="row"), now)


def hours() -> pl.DataFrame:
    """A crowd that opens in the evening, and customers with a habit of their own."""
    chance = np.random.default_rng(1)
    crowd = pl.DataFrame({"customer_id": np.arange(1000, 1500), "hour": chance.normal(19.5, 2, 500).astype(int) % 24})
    own = pl.DataFrame({"customer_id": [0, 2, 5, 10, 40]}).with_columns(hour=7, responses="customer_id")
    found = best_send_hours(pl.concat([crowd.with_columns(responses=5), own], how="diagonal_relaxed"))
    assert isinstance(found, pl.DataFrame)
    return found


def engagement() -> tuple[int, int, dict[str, float]]:
    """Messages whose probability to be opened follows an index; fitted on the first half."""
    chance = np.random.default_rng(2)
    index = chance.gamma(0.8, 3, 10_000)
    opened = chance.random(10_000) < 1 / (1 + np.exp(2.5 - 1.2 * np.log1p(index)))
    model = fit_engagement(index[:5_000], opened[:5_000])
    assert isinstance(model, EngagementModel)
    found = evaluate(opened[5_000:], model.probability(index[5_000:]))
    assert isinstance(found, dict)
    return 10_000, 5_000, {name: metric.value for name, metric in found.items()}


def page() -> str:
    """The guide, with all its figures computed."""
    rows = [
        f"| {trial.name} | {trial.customers:,} | {trial.hits['item-item'].mean():.1%} | "
        f"{trial.hits['best sellers'].mean():.1%} | {trial.reached['item-item']:.1%} | {trial.reached['best sellers']:.1%} |"
        for trial in results()
    ]
    offered = [
        f"| {who} | {offer or '—'} | {'—' if profit is None else f'{profit:.2f}'} | {outcome} |"
        for who, offer, profit, outcome in offers().rows()
    ]
    sent = hours()
    few = sent.filter(pl.col("customer_id") < 1000)
    messages, trained, found = engagement()
    return PAGE.format(
        hits="\n".join(rows),
        offers="\n".join(offered),
        crowd_hour=few.filter(pl.col("customer_id") == 0)["hour"].item(),
        hours="\n".join(f"| {own} | {hour}:00 | {weight:.0%} |" for own, hour, _, weight in few.rows()),
        messages=messages,
        trained=trained,
        auc=f"{found['auc']:.3f}",
        ece=found["ece"],
    )


def plot() -> Figure:
    """Hits by rank."""
    figure = Figure(figsize=(9, 3), layout="constrained")
    for axes, trial in zip(figure.subplots(1, 4, sharey=True), results(), strict=True):
        for shift, (way, color) in enumerate((("item-item", "#246"), ("best sellers", "#9ab"))):
            axes.bar(np.arange(1, 6) + 0.4 * shift - 0.2, 100 * trial.hits[way], width=0.4, color=color, label=way)
        axes.set_title(trial.name.replace(", ", "\nwithout "), fontsize=9)
        axes.set(xlabel="rank")
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("bought, %")
    figure.axes[1].legend(frameon=False, fontsize=8)
    return figure


if __name__ == "__main__":
    write(__file__, page, plot, font_size=10)
