"""Writes experiments.md and experiments.svg beside itself: ``python docs/models/experiments.py``."""

from __future__ import annotations

import numpy as np
import polars as pl
from guide import write
from matplotlib.figure import Figure

from models_ml.experiments import (
    Comparison,
    Conversions,
    Estimate,
    Incrementality,
    WinProbability,
    check_sample_ratio,
    compare_conversions,
    is_held_out,
    measure_incrementality,
    size_for_conversions,
    win_probability,
)
from models_ml.experiments.inference import EveryLook, FixedHorizon
from models_ml.reasons import NotComputable

RUNS, LOOKS, BATCH, RATE = 4_000, 100, 200, 0.05

PAGE = """# Experiments and holdouts

**What it answers.** Did the message change what people do, by how much, and what was that worth? Is the test allowed to be
believed (were users split as planned), how long must it run, and may one look before it ends?

Everything starts from counts or sums per arm, as the warehouse has them.

```python
treatment, control = Conversions(10_000, 620), Conversions(10_000, 550)
compare_conversions(treatment, control)                         # one look, fixed in advance
compare_conversions(treatment, control, planned_users=20_000)   # valid at every look
```

| 620 against 550 of 10,000 | value | 95 % interval | p |
|---|---|---|---|
| difference, one look | {difference} |
| relative lift, one look | {relative} |
| difference, at every look | {always} |

**How to read it.** The interval holds what the data leave possible; a p-value below .05 and an interval without zero are
the same statement, here always by construction: both come from Newcombe's inference (for means Welch's), and the lift is read off
the same one. The chance that the treatment is the better arm is {win:.1%}; choosing it although the control is better would
cost {loss:.6f} of the conversion rate on average.

A holdout answers what a campaign *caused*. Of 349,650 treated users 1,226 converted, of 34,580 held out 58:

| | value | 95 % interval |
|---|---|---|
| conversions it added | {added} |
| share of conversions it added | {share} |
| revenue at $40 an order, less $14,500 | {net} |

**Before it starts.** A base rate of 5 % and a lift of 10 % need {size:,} users per arm for 80 % power; with 4,000 new users a
day that is {days} days. `is_held_out("spring", users, 0.1)` keeps a tenth of the users from a campaign by a hash of both ids, the same in
SQL; of 100,000 users it holds out {held:,}.

![Share of tests without any effect that are called significant, by number of looks](experiments.svg)

The plot shows {runs:,} tests in which nothing differs, looked at up to {looks} times. Read anew at each look, the fixed-horizon
test calls {naive:.1%} of them significant at some look; the confidence sequence {sequence:.1%}. Its price is an interval
{wider:.2f} times as wide at the planned end.

**When not to trust it.**

- The split is off. `check_sample_ratio([5_000, 5_500])` gives p = {mismatch:.1e}: below .001 the cause is a fault of
  assignment or logging, and no lift means anything. `pick_winner` refuses.
- One looked before the end and read the fixed-horizon interval. Pass `planned_users` from the start instead.
- Few conversions: below ten in both arms there is a reason (`{few}`) instead of a number; a little above it the interval is
  honest and wide.
- Heavy tails: revenue per user converges slowly. Cap all arms at one `shared_cap`, and say that the result is about capped revenue.
- Users who meet both arms, or who influence each other; a pre-period that the treatment touched (CUPED needs one that it didn't).
"""


def row(estimate: Estimate | NotComputable, form: str) -> str:
    """A table's cells after the name."""
    assert isinstance(estimate, Estimate)
    return " | ".join(
        [format(estimate.value, form), f"{estimate.low:{form}} to {estimate.high:{form}}", f"{estimate.p_value:.4f}"]
    )


def peeking() -> tuple[np.ndarray, np.ndarray]:
    """Share of null tests that were significant at any look so far: fixed horizon, confidence sequence."""
    converted = np.random.default_rng(4).binomial(BATCH, RATE, (2, RUNS, LOOKS)).cumsum(axis=2)
    users = BATCH * np.arange(1, LOOKS + 1)
    rates = (converted + 0.5) / (users + 1)
    gaps = (converted[0] - converted[1]) / users
    statistic = np.abs(gaps) / np.sqrt((rates * (1 - rates) / users).sum(axis=0))
    always = np.array([EveryLook(2 * each, 2 * BATCH * LOOKS).critical(0.95) for each in users.tolist()])
    fixed = FixedHorizon(np.inf).critical(0.95)
    shares = [np.maximum.accumulate(statistic > bar, axis=1).mean(axis=0) for bar in (fixed, always)]
    return shares[0], shares[1]


def page() -> str:
    """The guide, with all its figures computed."""
    arms = Conversions(10_000, 620), Conversions(10_000, 550)
    fixed, always = compare_conversions(*arms), compare_conversions(*arms, planned_users=20_000)
    caused = measure_incrementality(
        Conversions(349_650, 1_226), Conversions(34_580, 58), average_order_value=40.0, spend=14_500.0
    )
    odds, broken = win_probability(*arms), check_sample_ratio([5_000, 5_500])
    few = compare_conversions(Conversions(100, 5), Conversions(100, 4))
    assert isinstance(fixed, Comparison)
    assert isinstance(always, Comparison)
    assert isinstance(caused, Incrementality)
    assert isinstance(odds, WinProbability)
    assert isinstance(few, NotComputable)
    assert not isinstance(broken, NotComputable)
    size = size_for_conversions(0.05, 0.1)
    naive, sequence = peeking()
    total = 2 * BATCH * LOOKS

    def without_p(estimate: Estimate | NotComputable, form: str) -> str:
        return row(estimate, form).rsplit(" | ", 1)[0]

    return PAGE.format(
        difference=row(fixed.difference, "+.5f"),
        relative=row(fixed.relative, "+.2%"),
        always=row(always.difference, "+.5f"),
        win=odds.treatment,
        loss=odds.loss_of_treatment,
        added=without_p(caused.conversions, ",.1f"),
        share=without_p(caused.share, ".1%"),
        net=without_p(caused.net_revenue, ",.0f"),
        held=int(is_held_out("spring", pl.Series([f"user-{number}" for number in range(100_000)]), 0.1).sum()),
        size=size.control,
        days=size.days(4_000),
        runs=RUNS,
        looks=LOOKS,
        naive=naive[-1],
        sequence=sequence[-1],
        wider=EveryLook(total, total).critical(0.95) / FixedHorizon(np.inf).critical(0.95),
        mismatch=broken.p_value,
        few=few.reason,
    )


def plot() -> Figure:
    """False alarms by number of looks."""
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes = figure.subplots()
    for share, name, color in zip(peeking(), ("fixed horizon", "confidence sequence"), ("#c44", "#246"), strict=True):
        axes.plot(np.arange(1, LOOKS + 1), 100 * share, label=name, color=color)
    axes.axhline(5, color="#888", linewidth=0.8, linestyle="--", label="5 % promised")
    axes.set(xlabel="looks so far", ylabel="ever significant, %", xlim=(1, LOOKS), ylim=(0, None))
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    write(__file__, page, plot)
