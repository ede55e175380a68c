"""Writes anomalies.md and anomalies.svg: a year of simulated orders with planted incidents.

``python docs/models/anomalies.py`` renews both.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache

import numpy as np
import polars as pl
from guide import markdown, write
from matplotlib.figure import Figure

from models_ml.anomalies import judge
from models_ml.series import DailySeries

DAYS, FIRST = 365, 112
PLANTED = {150: 0.0, 205: 0.45, 206: 0.5, 262: 1.6, 310: 0.6}
"""What incidents multiply a day's orders by."""


def orders() -> DailySeries:
    """Orders of a shop that is quiet at weekends and grows by half within the year."""
    rng = np.random.default_rng(8)
    weekdays = np.array([1.1, 1.05, 1.0, 1.05, 1.15, 0.7, 0.6])
    usual = 500 * np.linspace(1, 1.5, DAYS) * weekdays[np.arange(DAYS) % 7] * np.exp(rng.normal(0, 0.04, DAYS))
    for day, factor in PLANTED.items():
        usual[day] *= factor
    return DailySeries(date(2024, 1, 1), rng.poisson(usual).astype(np.float64))


@cache
def results() -> tuple[DailySeries, pl.DataFrame]:
    """The orders, and how each day is judged once baselines are full."""
    series = orders()
    return series, judge({"orders": series}).filter(pl.col("date") >= series.start + timedelta(days=FIRST))


def page() -> str:
    """The guide, with all its figures computed."""
    series, judged = results()
    planted = [series.start + timedelta(days=day) for day in PLANTED]
    is_planted = pl.col("date").is_in(planted)
    table = judged.group_by("detector", maintain_order=True).agg(
        (pl.col("is_anomaly") & is_planted).sum().alias("incidents found"),
        (pl.col("is_anomaly") & ~is_planted).sum().alias("false alarms"),
        (~is_planted).sum().alias("ordinary days"),
    )
    found = judged.filter(pl.col("detector") == "seasonal_residual", pl.col("is_anomaly"))
    shown = found.select("date", "kind", "value", "expected", "deviation_percent", "score")
    return f"""# Anomalies

*Made by `python docs/models/anomalies.py` from a simulated year of orders with {len(PLANTED)} planted incidents.*

## What it answers

Which days of a measure are out of the ordinary for their weekday at the current level, and by how much?

```python
judged = judge(series_by(frame))                     # every detector, series and day: value, expected, score, reason
judged.filter("is_anomaly")
judge(series_by(frame), incidents={{"orders": days}})  # confirmed incidents are in no baseline any more
```

{markdown(shown, decimals=1)}

![Orders, what was expected, and the days that stand out](anomalies.svg)

## How to read it

- `seasonal_residual` is the detector to rely on: the score is (√value − √expected) in units of its usual spread; 3 alerts.
- The founding rules stand beside it under their own names: `three_sigma` (3 σ from the median of seven days), `drop` (−30 %),
  `zero`. They know no weekdays:

{markdown(table, decimals=1)}

- `judged` says `week` where single days are too few to tell: then value and expected are sums of seven days.
- What can't be judged has a reason (`too_short_history`, `zero_baseline`, `no_variation`) and no score.
- Confirm real incidents: until then they are in the baseline of the next eight weeks, though medians bear a few of them.

## When not to trust it

- In the first 16 weeks, while baselines and spreads fill; before 8 weeks there is no score at all.
- On holidays and campaigns that everybody knows of: it knows weekdays, not calendars. They are out of the ordinary, and no fault.
- After a lasting change it alerts until the new level is the rule, for two weeks as a rule.
- Some ordinary days are beyond 3 by chance; over many series that is an alarm every day. Look at the highest scores first.
"""


def plot() -> Figure:
    """Orders, what was expected, and what stands out."""
    series, judged = results()
    rows = judged.filter(pl.col("detector") == "seasonal_residual")
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    axes = figure.subplots()
    days = (rows["date"] - series.start).dt.total_days().to_numpy()
    axes.plot(days, rows["value"], color="0.4", linewidth=0.8, label="orders")
    axes.plot(days, rows["expected"], color="tab:blue", linewidth=0.8, label="expected")
    alerts = rows["is_anomaly"].to_numpy()
    axes.scatter(days[alerts], rows["value"].to_numpy()[alerts], color="crimson", zorder=3, label="anomaly")
    axes.scatter(
        list(PLANTED),
        series.values[list(PLANTED)],
        s=90,
        facecolor="none",
        edgecolor="black",
        zorder=2,
        label="planted",
    )
    axes.set_xlabel("day of the year")
    axes.set_ylabel("orders per day")
    axes.set_ylim(bottom=-40)
    axes.legend(frameon=False, ncols=4)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    write(__file__, page, plot)
