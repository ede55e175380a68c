"""Writes uplift.md and uplift.svg beside itself: ``python docs/models/uplift.py``."""

from __future__ import annotations

from functools import cache
from typing import Literal, NamedTuple

import numpy as np
from guide import write
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from models_ml.experiments import (
    TargetingCurve,
    TargetingGate,
    UpliftModel,
    evaluate_uplift,
    fit_uplift,
    judge_targeting,
    targeting_curve,
)
from models_ml.registry import Metric

USERS, SEED = 10_000, 7
Floats = NDArray[np.float64]
Learner = Literal["s", "t", "x"]
LEARNERS: tuple[Learner, ...] = ("s", "t", "x")

PAGE = """# Uplift

**What it answers.** Whom does a message move? A response model finds who will buy; many of them buy anyway. An uplift model ranks
users by what the message *changes*, and must be trained and judged on a randomized experiment (a campaign with a holdout).

```python
model = fit_uplift("x", features, treated, converted)           # also "s", "t"; revenue instead of conversions
judge_targeting(model.predict(fresh), response, treated, converted, seed=1)
evaluate_uplift(model.predict(fresh), treated, converted)       # AUC, precision, recall and F1 for the registry
```

The experiment below is simulated: {users:,} users to train, {users:,} others to judge, half of them treated. {base:.1%} of the untreated convert,
mostly those who bought before; the message moves mainly those who did not. The true effect is {effect:.2%} on average.

| score | Qini area, conversions | above the response model | Qini area, revenue | AUC | ships |
|---|---|---|---|---|---|
{rows}

**How to read it.** The Qini curve shows, for each share of users targeted by descending score, the conversions gained per treated user.
Random targeting is the straight line; the area between both is in the table, with a 95 % bootstrap interval. A model
`ships` only if the lower bounds of its area and of what it has above a plain response model are both above zero. Targeting the
best {share:.0%} by the {best} learner keeps {kept:.0%} of the effect of targeting everyone.

Nobody is seen both treated and not, so the AUC is that of telling the treated who converted and the untreated who did not from all
others (Jaśkowski and Jaroszewicz 2012). With A the area between the uplift curve and random targeting and τ̄ the mean effect it
is ½ + 2A/(1 − τ̄²), the same in another unit, and small effects keep it near ½: ordering these users by their true effects has
{best_auc:.3f}. Compare it with that of earlier versions, not with the AUC of a response or churn model.

![Qini curves of the learners, the response model and random targeting](uplift.svg)

**When not to trust it.**

- Treated and untreated users were not split by chance: everything here is then about who was chosen, not about the message.
- It was judged on users that it was trained on.
- Effects are small beside chance: then the intervals hold zero, and the answer is to target everyone or no one.
- A high AUC of predicting who converts. It says nothing of who is moved; the response model above has {response_auc:.2f}.
"""


class Experiment(NamedTuple):
    """Users of a randomized experiment: one row of features each."""

    features: Floats
    treated: NDArray[np.bool_]
    converted: Floats
    revenue: Floats
    effect: Floats


def experiment(seed: int) -> Experiment:
    """Bought before raises the base rate and lowers the effect; two features mean nothing."""
    rng = np.random.default_rng(seed)
    bought, recency = rng.random(USERS) < 0.3, rng.random(USERS)
    base = 0.03 + 0.22 * bought + 0.03 * (1 - recency)
    effect = np.where(bought, 0.0, 0.02 + 0.14 * (recency > 0.5))
    treated = rng.random(USERS) < 0.5
    converted = (rng.random(USERS) < base + effect * treated).astype(float)
    features = np.column_stack([bought, recency, rng.normal(size=(USERS, 2))])
    return Experiment(features, treated, converted, converted * rng.gamma(4, 15, USERS), effect)


@cache
def scores() -> tuple[Experiment, dict[str, Floats], dict[str, Floats]]:
    """The fresh experiment, and its users' scores for conversions and for revenue."""
    train, fresh = experiment(SEED), experiment(SEED + 1)
    found: list[dict[str, Floats]] = []
    for outcome in (train.converted, train.revenue):
        by_name: dict[str, Floats] = {}
        for learner in LEARNERS:
            model = fit_uplift(learner, train.features, train.treated, outcome, seed=SEED)
            assert isinstance(model, UpliftModel)
            by_name[learner.upper()] = model.predict(fresh.features)
        found.append(by_name)
    plain = HistGradientBoostingClassifier(max_iter=60, learning_rate=0.05, max_leaf_nodes=8, random_state=SEED)
    response = plain.fit(train.features, train.converted).predict_proba(fresh.features)[:, 1]
    for by_name in found:
        by_name["response"] = response
    return fresh, found[0], found[1]


def judged(score: Floats, response: Floats, treated: NDArray[np.bool_], outcome: Floats) -> TargetingGate:
    """Held against random targeting and the response model."""
    gate = judge_targeting(score, response, treated, outcome, seed=SEED, draws=100)
    assert isinstance(gate, TargetingGate)
    return gate


def curve(score: Floats, fresh: Experiment) -> TargetingCurve:
    """The Qini curve of conversions."""
    found = targeting_curve(score, fresh.treated, fresh.converted)
    assert isinstance(found, TargetingCurve)
    return found


def auc(score: Floats, fresh: Experiment) -> Metric:
    """How well a score tells who is moved to convert."""
    found = evaluate_uplift(score, fresh.treated, fresh.converted)
    assert isinstance(found, dict)
    return found["auc"]


def page() -> str:
    """The guide, with all its figures computed."""
    fresh, by_conversion, by_revenue = scores()
    rows, areas = [], {}
    for name, score in by_conversion.items():
        response = by_conversion["response"]
        gate = judged(score, response, fresh.treated, fresh.converted)
        revenue = judged(by_revenue[name], response, fresh.treated, fresh.revenue)
        areas[name] = gate.qini.value
        cells = [f"{each.value:.4f} ({each.low:.4f} to {each.high:.4f})" for each in (gate.qini, gate.above_response)]
        cells += [f"{revenue.qini.value:.2f} ({revenue.qini.low:.2f} to {revenue.qini.high:.2f})"]
        cells += ["{0.value:.3f} ({0.low:.3f} to {0.high:.3f})".format(auc(score, fresh))]
        rows.append(f"| {name} | {' | '.join(cells)} | {'yes' if gate.ships else 'no'} |")
    best = max(LEARNERS, key=lambda learner: areas[learner.upper()]).upper()
    found, share = curve(by_conversion[best], fresh), 0.4
    return PAGE.format(
        users=USERS,
        base=fresh.converted[~fresh.treated].mean(),
        effect=fresh.effect.mean(),
        rows="\n".join(rows),
        share=share,
        best=best,
        kept=np.interp(share, found.share, found.qini) / found.qini[-1],
        best_auc=auc(fresh.effect, fresh).value,
        response_auc=roc_auc_score(fresh.converted, by_conversion["response"]),
    )


def plot() -> Figure:
    """Qini curves of conversions."""
    fresh, by_conversion, _ = scores()
    figure = Figure(figsize=(7, 3.4), layout="constrained")
    axes = figure.subplots()
    for (name, score), color in zip(by_conversion.items(), ("#8ac", "#48b", "#124", "#c44"), strict=True):
        found = curve(score, fresh)
        shown = np.unique(np.searchsorted(found.share, np.linspace(0, 1, 200)).clip(0, len(found.share) - 1))
        label = "response model" if name == "response" else f"{name}-learner"
        axes.plot(100 * found.share[shown], 100 * found.qini[shown], label=label, color=color)
    axes.plot([0, 100], [0, 100 * found.qini[-1]], color="#888", linewidth=0.8, linestyle="--", label="random")
    axes.set(xlabel="users targeted, %", ylabel="conversions gained\nper 100 treated users", xlim=(0, 100))
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    write(__file__, page, plot)
