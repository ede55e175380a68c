"""Writes budget.md and budget.svg beside itself: ``python docs/models/budget.py``."""

from __future__ import annotations

from functools import cache

import numpy as np
from guide import write
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models_ml.optimization import (
    Allocation,
    FittedCurves,
    InfeasibleBudgetError,
    Limits,
    PowerCurves,
    SmoothedRates,
    allocate_budget,
    budget_frontier,
    fit_power_curves,
    pace_budget,
    recommend_bids,
    smooth_rates,
    thompson_shares,
)

NAMES = ("search", "brand", "social", "video", "display", "affiliates", "retargeting", "audio")
CHANNEL = np.array([0, 0, 1, 1, 2, 2, 2, 1])
DAYS, MORE, SEED = 90, 500.0, 3
LOCKED = np.array([name == "brand" for name in NAMES])
Floats = NDArray[np.float64]

PAGE = """# Budgets

**What it answers.** How should a budget be split over campaigns, what does one more unit of money bring, and which limit costs
how much? Spend and revenue are per day.

```python
fitted = fit_power_curves(spend, revenue)                       # days × campaigns
plan = allocate_budget(fitted.curves, total, Limits(current=now, max_change=0.3, locked=brand))
plan.frame(names)
```

Each campaign's curve is `revenue = a·spend^b`. An exponent of .8 is where everyone starts; a campaign whose spend varied by 15 %
or more moves it as far as its own data are worth (`±` is the posterior standard deviation). Eight simulated campaigns, {days} days:

| campaign | b, true | b, fitted | spend now | plan | marginal revenue | held by |
|---|---|---|---|---|---|---|
{rows}

The plan spends the same {total:,.0f} a day and should bring {gain:+.1%} revenue; by the curves that the simulation was made with it brings
{true_gain:+.1%}, of {possible:+.1%} that were possible had one known them. Holding it: {binding}.

**How to read it.** Free campaigns share one marginal revenue, the price λ = {price:.3f}: what one more unit of budget brings. Campaigns above it
would take more money and may not (`max_increase`), campaigns below it would give some up and may not. A price below
1 ÷ margin says that the last unit loses money: give `margin`, and the plan stops there.

**Where should the next {more:,.0f} a day go?** Plan again with that much more and subtract: {answer}. The
frontier below shows what each total brings at best; its slope is λ.

![Revenue by total spend: the best plans with and without limits, and today's split](budget.svg)

Limits that contradict each other are an error that names them: “{infeasible}”.

**Around a plan.** Of a month's 90,000, {spent:,.0f} are spent after ten of thirty days: `pace_budget` says `{pace}`, {daily:,.0f} a day from now on,
and {projected:,.0f} at the end if nothing changes. Three keywords with 4 of 80, 40 of 800 and 90 of 800 conversions are smoothed to
{rates}; at $60 an order and a target ROAS of 4 they are worth bids of {bids} (`recommend_bids`; a range where the rate is
little known). Three creatives with 30, 45 and 41 clicks of 1,000 get {shares} of the traffic (`thompson_shares`).

**When not to trust it.**

- Revenue that spend did not cause. Attributed revenue flatters campaigns that meet buyers late; use incremental revenue where there is a holdout.
- Far from what was tried. A curve is known around the spend that was seen; ±30 % per plan is there for that, and so is planning again.
- `is_fitted` is false: the exponent is the prior's, and so is the answer to how fast the campaign saturates.
- Money works on for days. Fit with a `retention` (`choose_retention`), and plan with `CarryOverCurves`, which counts what is still working.
- With a `minimum_viable` spend some campaigns pause; `gap` says how much a better choice could bring at most. 0 is proven best.
"""


@cache
def world() -> tuple[PowerCurves, Floats, Floats]:
    """True curves, and the spend and revenue of each day."""
    rng = np.random.default_rng(SEED)
    level = rng.uniform(80, 900, len(NAMES))
    exponent = np.clip(rng.normal(0.8, 0.1, len(NAMES)), 0.5, 0.95)
    curves = PowerCurves(rng.uniform(1.5, 4, len(NAMES)) * level ** (1 - exponent), exponent)
    swing = np.where(np.arange(len(NAMES)) == 5, 0.05, 0.5)
    spend = level * np.exp(rng.normal(0, swing, (DAYS, len(NAMES))))
    revenue = np.array([curves.revenue(row) for row in spend]) * rng.gamma(16, 1 / 16, spend.shape)
    return curves, spend, revenue


@cache
def plans() -> tuple[FittedCurves, Floats, Limits, Allocation]:
    """The fit, what is spent now, its limits and the plan."""
    _, spend, revenue = world()
    fitted = fit_power_curves(spend, revenue)
    assert isinstance(fitted, FittedCurves)
    now = spend[-30:].mean(axis=0)
    limits = Limits(current=now, max_change=0.3, locked=LOCKED)
    return fitted, now, limits, allocate_budget(fitted.curves, float(now.sum()), limits)


def page() -> str:
    """The guide, with all its figures computed."""
    true, _, _ = world()
    fitted, now, limits, plan = plans()
    total = float(now.sum())
    rows = [
        f"| {name} | {true.exponent[k]:.2f} | {fitted.curves.exponent[k]:.2f} ± {fitted.exponent_deviation[k]:.2f}"
        f"{'' if fitted.is_fitted[k] else ' (prior)'} | {now[k]:,.0f} | {plan.spend[k]:,.0f} | {plan.marginal[k]:.2f} "
        f"| {held} |"
        for k, (name, held) in enumerate(zip(NAMES, plan.frame(NAMES)["held_by"], strict=True))
    ]
    best = allocate_budget(true, total, limits)
    said, brought, possible = (
        float(curves.revenue(after).sum() / curves.revenue(now).sum()) - 1
        for curves, after in ((fitted.curves, plan.spend), (true, plan.spend), (true, best.spend))
    )
    more = allocate_budget(fitted.curves, total + MORE, limits)
    change = more.spend - plan.spend
    answer = ", ".join(f"{change[k]:+,.0f} {NAMES[k]}" for k in np.argsort(-change) if abs(change[k]) >= 1)
    try:
        allocate_budget(fitted.curves, 2 * total, limits)
    except InfeasibleBudgetError as error:
        infeasible = str(error)
    pacing = pace_budget(90_000, 36_000, days_gone=10, day_weights=np.ones(30))
    rates = smooth_rates([4, 40, 90], [80, 800, 800])
    assert isinstance(rates, SmoothedRates)
    bids = recommend_bids(rates, 60.0, target_roas=4.0)
    ranges = zip(bids.bid, bids.low, bids.high, strict=True)
    return PAGE.format(
        spent=36_000,
        pace=pacing.pace,
        daily=pacing.daily_budget,
        projected=pacing.projected,
        rates=", ".join(f"{each:.1%}" for each in rates.rate),
        bids=", ".join(f"${bid:.2f} (${low:.2f} to ${high:.2f})" for bid, low, high in ranges),
        shares=", ".join(f"{each:.0%}" for each in thompson_shares([30, 45, 41], [1_000] * 3, seed=SEED)),
        days=DAYS,
        rows="\n".join(rows),
        total=total,
        gain=said,
        true_gain=brought,
        possible=possible,
        binding=", ".join(f"`{name}`" for name in plan.binding),
        price=plan.price,
        more=MORE,
        answer=f"{answer}, for {float(more.revenue.sum() - plan.revenue.sum()):,.0f} more revenue a day",
        infeasible=infeasible,
    )


def plot() -> Figure:
    """The frontier with and without limits, and today's split."""
    fitted, now, limits, _ = plans()
    total = float(now.sum())
    figure = Figure(figsize=(7, 3.4), layout="constrained")
    axes = figure.subplots()
    wide = [float(each) for each in np.linspace(0.4, 1.6, 40) * total]
    near = [float(each) for each in np.linspace(0.8, 1.2, 40) * total]
    free, limited = budget_frontier(fitted.curves, wide), budget_frontier(fitted.curves, near, limits)
    axes.plot(free["total"], free["revenue"], color="#8ac", label="best split")
    axes.plot(limited["total"], limited["revenue"], color="#124", label="best split within ±30 % and the lock")
    axes.plot([total], [fitted.curves.revenue(now).sum()], "o", color="#c44", label="now")
    axes.set(xlabel="spend per day", ylabel="revenue per day")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    write(__file__, page, plot)
