"""Writes churn.md and churn.svg beside itself: ``python docs/models/churn.py``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache

import numpy as np
import polars as pl
from guide import write
from matplotlib.figure import Figure
from numpy.typing import NDArray
from shops import JOURNEY_END, UCI_END, journey_lines, orders, uci_lines
from sklearn.ensemble import HistGradientBoostingClassifier

from models_ml.customers import (
    CHURN_TYPES,
    ChurnBacktest,
    RetentionOffer,
    auc_difference,
    backtest_churn,
    churn_snapshots,
)
from models_ml.customers.churn import BOOSTING, FEATURES, Trial
from models_ml.reasons import NotComputable
from models_ml.registry import Metric, Provenance, drift, load, register

OFFER, MARGIN = RetentionOffer(contact_cost=0.1, incentive_cost=1.0, save_rate=0.1), 0.3

PAGE = """# Churn

**What it answers.** Which customers who ordered in the last 90 days will not order in the next 30, why does the model think
so, and is it worth doing something about it?

```python
backtest = backtest_churn(orders, observed_until=as_of, offer=offer, margin=0.3, seed=7)   # trains, tests out of time
backtest.best.model.score(churn_features(orders, as_of))     # 0–100 and three reasons per customer
```

**How it is tested.** Snapshots are taken every 30 days. A snapshot's features come from orders before its cut-off, its label from the
30 days after; the last training label ends where the test begins. Below, each shop's last 30 days are the test.

| shop, model | AUC (95 % interval) | average precision | Brier | ECE | top-decile lift | churned |
|---|---|---|---|---|---|---|
{metrics}

Logistic regression is the baseline; the candidate is gradient boosting (scikit-learn's `HistGradientBoostingClassifier`) without
interactions. Its AUC less the baseline's is {journey_gain} on completejourney and {uci_gain} on UCI: the features carry the
knowledge, not the kind of model, and `backtest.best` takes the candidate only where it is not behind.

The population is not widened to look better: who has not ordered for 90 days is not in it, though nobody would be easier to
predict. That is why a shop where people come twice a year (UCI) stays near .73.

![Predicted and actual churn by tenths of customers, two shops](churn.svg)

**How to read it.** The score is the calibrated probability in percent: in the plot, the share that churned of each tenth of customers
by predicted probability lies near the diagonal on completejourney. On UCI it lies below, by {uci_ece:.0%} on average: the test
month is November, when people come who would not have come in summer. Ranks stay good when the season changes, levels don't.

Reasons are exact. Each feature adds its part to the log-odds, the parts sum to the score, and the three largest are shown with
their sign; 0 is an average customer. One of completejourney:

| customer | score | {reason_head} |
|---|---|---|---|---|
| {example} |

Allowing interactions would make reasons approximate. It would change the AUC by {journey_interactions} on completejourney and by
{uci_interactions} on UCI.

**What it is worth.** With ${contact:.2f} per contact, ${incentive:.2f} per incentive, {save:.0%} of churners saved and a margin of
{margin:.0%} of the last 90 days' spend at stake, on completejourney {contacted:.1%} of the customers have an expected profit above 0.
Contacting those makes {expected} per customer by prediction and {made} by what happened; contacting all of them {everyone:+.2f}.
The save rate is an assumption until a holdout has measured it.

**Kept as a version.** `register` gives the model's row for the registry and its bytes (skops, never pickle; {size:,} KiB, arrays and
numbers only: `{types}` are the types to trust). `drift` compares what a model reads with its training:

| feature | PSI | |
|---|---|---|
{drifted}

**When not to trust it.**

- The label window is not over, or orders arrive late: who looks churned has not been seen yet.
- A shop younger than five months gives `too_short_history`, one in which hardly anyone stays or leaves `too_few_customers` or
  `one_class_only`.
- Strong drift (PSI of .25 and more), a new price list, a first Christmas: retrain, or look at ranks alone.
- A probability to leave is no probability to be saved. Use uplift (see experiments) once there are treated and held-out customers.
"""


@dataclass(frozen=True)
class Shop:
    """A shop's orders and how the models did on them."""

    name: str
    backtest: ChurnBacktest
    test: pl.DataFrame

    @property
    def happened(self) -> NDArray[np.int8]:
        """Who churned of the test's customers."""
        return self.test["churned"].to_numpy()


def shop(name: str, lines: pl.DataFrame, until: datetime) -> Shop:
    """Train and test on a shop."""
    bought = orders(lines)
    backtest = backtest_churn(bought, observed_until=until, offer=OFFER, margin=MARGIN, seed=7)
    assert isinstance(backtest, ChurnBacktest), backtest
    return Shop(name, backtest, churn_snapshots(bought, (backtest.cutoffs.test,)))


@cache
def results() -> tuple[Shop, Shop]:
    """Both shops."""
    return (
        shop("completejourney", journey_lines(), JOURNEY_END),
        shop("UCI Online Retail", uci_lines(), UCI_END),
    )


def interval(metric: Metric | NotComputable, form: str) -> str:
    """A figure with its interval."""
    assert isinstance(metric, Metric)
    return f"{metric.value:{form}} ({metric.low:{form}} to {metric.high:{form}})"


def row(name: str, trial: Trial) -> str:
    """A trial as a row of the page's table."""
    found = trial.metrics
    return (
        f"| {name}, {trial.model.method} | {interval(found['auc'], '.3f')} | {found['average_precision'].value:.3f} | "
        f"{found['brier'].value:.3f} | {found['ece'].value:.3f} | {found['top_decile_lift'].value:.1f} | "
        f"{found['rate'].value:.1%} |"
    )


def gain_of_interactions(found: Shop) -> str:
    """AUC of the candidate with interactions less that without."""
    model = found.backtest.candidate.model
    trees = HistGradientBoostingClassifier(**{**BOOSTING, "interaction_cst": None}, random_state=7)
    training = found.backtest.training
    trees.fit(training.select(FEATURES).to_numpy(), training["churned"].to_numpy())
    freely = trees.predict_proba(found.test.select(FEATURES).to_numpy())[:, 1]
    return interval(auc_difference(found.happened, freely, model.probability(found.test)), "+.3f")


def page() -> str:
    """The guide, with all its figures computed."""
    journey, uci = results()
    best = journey.backtest.candidate
    scored = best.model.score(journey.test)
    chosen = scored.filter(pl.col("score") == 60).sort("customer_id").head(1)
    values = journey.test.join(chosen.select("customer_id"), on="customer_id", how="semi").row(0, named=True)
    first = chosen.row(0, named=True)
    reasons = [
        f"{first[f'reason_{place}']} = {values[first[f'reason_{place}']]:.1f}: {first[f'effect_{place}']:+.2f}"
        for place in (1, 2, 3)
    ]
    provenance = Provenance(JOURNEY_END, *(journey.backtest.cutoffs.train[0], journey.backtest.cutoffs.test), "1")
    inputs = journey.backtest.training.select(FEATURES)
    version, content = register(
        best.model,
        kind="churn",
        provenance=provenance,
        inputs=inputs,
        trusted=CHURN_TYPES,
        parameters=dict(BOOSTING),
        metrics=best.metrics,
        importances=dict(zip(best.model.features, best.model.importances, strict=True)),
    )
    again = load(content, CHURN_TYPES, version.artifact_hash)
    assert again.score(journey.test).equals(scored)
    shifted = drift(version.references, journey.test)
    assert isinstance(shifted, pl.DataFrame)
    return PAGE.format(
        metrics="\n".join(
            row(each.name, trial)
            for each in (journey, uci)
            for trial in (each.backtest.baseline, each.backtest.candidate)
        ),
        journey_gain=interval(journey.backtest.gain, "+.3f"),
        uci_gain=interval(uci.backtest.gain, "+.3f"),
        uci_ece=uci.backtest.candidate.metrics["ece"].value,
        reason_head="first reason | second reason | third reason",
        example=" | ".join([str(first["customer_id"]), str(first["score"]), *reasons]),
        journey_interactions=gain_of_interactions(journey),
        uci_interactions=gain_of_interactions(uci),
        contact=OFFER.contact_cost,
        incentive=OFFER.incentive_cost,
        save=OFFER.save_rate,
        margin=MARGIN,
        contacted=best.action.contacted,
        expected=f"{best.action.expected_profit:+.3f}",
        made=interval(best.action.profit, "+.3f"),
        everyone=best.action.profit_of_all,
        size=round(len(content) / 1024),
        types="`, `".join(each.__name__ for each in CHURN_TYPES),
        drifted="\n".join(f"| {name} | {psi:.3f} | {verdict} |" for name, psi, verdict in shifted.head(3).iter_rows()),
    )


def plot() -> Figure:
    """Reliability by tenths."""
    figure = Figure(figsize=(7.5, 3.4), layout="constrained")
    for axes, found in zip(figure.subplots(1, 2), results(), strict=True):
        axes.plot([0, 1], [0, 1], color="#888", linewidth=0.8, linestyle="--")
        for trial, color in ((found.backtest.baseline, "#c44"), (found.backtest.candidate, "#246")):
            predicted = trial.model.probability(found.test)
            tenths = np.array_split(np.argsort(predicted, kind="stable"), 10)
            means = [(predicted[tenth].mean(), found.happened[tenth].mean()) for tenth in tenths]
            axes.plot(*zip(*means, strict=True), "o-", markersize=4, color=color, label=trial.model.method)
        axes.set(title=found.name, xlabel="predicted churn", xlim=(0, 1), ylim=(0, 1))
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("actual churn")
    figure.axes[0].legend(frameon=False)
    return figure


if __name__ == "__main__":
    write(__file__, page, plot, font_size=10)
