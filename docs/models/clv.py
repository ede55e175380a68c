"""Writes clv.md and clv.svg beside itself: ``python docs/models/clv.py``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import resources

import numpy as np
import polars as pl
from guide import write
from matplotlib.figure import Figure
from shops import JOURNEY_END, UCI_END, journey_lines, orders, uci_lines

from models_ml.customers import LifetimeModel, fit_lifetime_model, purchase_histories

PAGE = """# Customer lifetime value

**What it answers.** How many orders is each customer to bring within the next months, of which value, and what is that worth
today?

```python
histories = purchase_histories(orders, as_of)              # frequency, recency, age, mean_value; or from the warehouse
model = fit_lifetime_model(histories)                      # BG/NBD and Gamma-Gamma, or the reason why not
model.values(histories, months=12, monthly_discount_rate=0.01, margin=0.3)
```

BG/NBD (Fader, Hardie and Lee 2005) tells how often customers come, and that some have left without saying so; Gamma-Gamma
(Fader and Hardie 2013) tells what an order is worth to someone of whom few were seen. Both are fitted by maximum likelihood
with analytic gradients. On the published CDNOW sample they give the published figures:

| | r | α | a | b | log-likelihood | p | q | v |
|---|---|---|---|---|---|---|---|---|
| published | 0.2426 | 4.4135 | 0.7929 | 2.4258 | −9582.43 | 6.25 | 3.74 | 15.45 |
| here | {cdnow} |

**How to read it.** `expected_purchases` is the figure to use. The probability of being alive is not shown: after a single
order the model always puts it at 1, and such customers may still be expected to buy next to nothing. `lifetime_value` is margin ×
order value × purchases, month by month, discounted to today from the month's end.

Fitted on what came before a day and held against what came after it:

| shop | fitted until | customers | days ahead | purchases expected | purchases made | spend expected | spend made | correlation per customer |
|---|---|---|---|---|---|---|---|---|
{holdouts}

![Expected and actual purchases after the cut-off by purchases before it, three shops](clv.svg)

The plot shows the mean number of purchases in the days ahead, of customers grouped by their repeat purchases before.

**How well it was fitted** is in `model.purchases.convergence`: evaluations, the slope that is left, standard errors as shares of
the parameters, and the condition of the information matrix. Of completejourney its condition is {condition:,.0f} and the errors of
a and b are {error_a:.0%} and {error_b:.0%}: nearly no household leaves, so how leaving is spread hardly shows in the data, while what
is expected does not depend on it. On UCI until September the likelihood is highest when no one leaves; then a is 0 and the model
is the NBD.

**When not to trust it.**

- Seasons. The rate is constant: UCI's autumn brings {uci_ratio:.2f} times the purchases that are expected of the year before it.
- Spend that goes with frequency: Gamma-Gamma takes them for independent. `order_value.frequency_correlation` is
  {correlation:+.2f} on completejourney, {cdnow_correlation:+.2f} on CDNOW; where it is far from 0, fit groups of customers apart.
- Contracts and subscriptions, where leaving is seen; and promotions that change habits between the two spans.
- Single customers. Totals and ranks are good, one person's figure is a mean over people with the same history.
- A reason instead of a model: `no_repeat_purchases`, `no_variation`, `infinite_mean` (q ≤ 1) or `not_converged`, where the
  data do not determine the parameters.
"""


@dataclass(frozen=True)
class Holdout:
    """A model fitted before a day, and what each customer did after it."""

    shop: str
    cutoff: datetime
    days: int
    model: LifetimeModel
    customers: pl.DataFrame

    @property
    def row(self) -> str:
        """As a row of the page's table."""
        expected, made = self.customers["expected"], self.customers["made"]
        spend = (expected * self.customers["order_value"]).sum()
        correlation = np.corrcoef(expected, made)[0, 1]
        return (
            f"| {self.shop} | {self.cutoff:%Y-%m-%d} | {len(self.customers):,} | {self.days} | {expected.sum():,.0f} | "
            f"{made.sum():,.0f} | {spend:,.0f} | {self.customers['spent'].sum():,.0f} | {correlation:.2f} |"
        )


def held_out(shop: str, bought: pl.DataFrame, cutoff: datetime, end: datetime) -> Holdout:
    """Fit before ``cutoff`` and count until ``end``."""
    histories = purchase_histories(bought, cutoff)
    model = fit_lifetime_model(histories)
    assert isinstance(model, LifetimeModel), model
    days = (end - cutoff).days
    later = (
        bought.filter(pl.col("ordered_at") >= cutoff, pl.col("ordered_at") < end)
        .group_by("customer_id")
        .agg(made=pl.col("ordered_at").dt.date().n_unique(), spent=pl.col("amount").sum())
    )
    vectors = (histories["frequency"], histories["recency"], histories["age"])
    value = model.order_value.expected_order_value(vectors[0], histories["mean_value"].fill_null(0))
    customers = (
        histories.with_columns(
            expected=pl.Series(model.purchases.expected_purchases(days, *vectors)), order_value=pl.Series(value)
        )
        .join(later, on="customer_id", how="left")
        .with_columns(pl.col("made", "spent").fill_null(0))
    )
    return Holdout(shop, cutoff, days, model, customers)


def cdnow_orders() -> pl.DataFrame:
    """The CDNOW sample, order by order."""
    text = (resources.files("lifetimes") / "datasets" / "CDNOW_sample.txt").read_text()
    rows = [line.split() for line in text.splitlines()]
    return pl.DataFrame(
        {
            "customer_id": [row[1] for row in rows],
            "day": [row[2] for row in rows],
            "amount": [float(row[4]) for row in rows],
        }
    ).select("customer_id", ordered_at=pl.col("day").str.to_datetime("%Y%m%d", time_unit="us"), amount="amount")


@cache
def results() -> tuple[LifetimeModel, tuple[Holdout, ...]]:
    """The published CDNOW fit, and the three shops held out."""
    path = resources.files("lifetimes") / "datasets" / "cdnow_customers_summary_with_transactions.csv"
    published = pl.read_csv(path.read_bytes()).select(
        customer_id="ID", frequency="x", recency="t_x", age="T", mean_value="zbar"
    )
    model = fit_lifetime_model(published)
    assert isinstance(model, LifetimeModel)
    return model, (
        held_out("CDNOW", cdnow_orders(), datetime(1997, 10, 1), datetime(1998, 7, 1)),  # noqa: DTZ001
        held_out("completejourney", orders(journey_lines()), datetime(2017, 10, 1), JOURNEY_END),  # noqa: DTZ001
        held_out("UCI Online Retail", orders(uci_lines()), datetime(2011, 9, 1), UCI_END),  # noqa: DTZ001
    )


def page() -> str:
    """The guide, with all its figures computed."""
    published, holdouts = results()
    purchases, value = published.purchases, published.order_value
    _, journey, uci = holdouts
    errors = journey.model.purchases.convergence.relative_errors
    return PAGE.format(
        cdnow=f"{purchases.r:.4f} | {purchases.alpha:.4f} | {purchases.a:.4f} | {purchases.b:.4f} | "
        f"−{-purchases.convergence.log_likelihood:.2f} | {value.p:.2f} | {value.q:.2f} | {value.v:.2f}",
        holdouts="\n".join(each.row for each in holdouts),
        condition=float(f"{journey.model.purchases.convergence.condition:.1e}"),
        error_a=errors[2],
        error_b=errors[3],
        uci_ratio=uci.customers["made"].sum() / uci.customers["expected"].sum(),
        correlation=journey.model.order_value.frequency_correlation,
        cdnow_correlation=value.frequency_correlation,
    )


def plot() -> Figure:
    """Expected and made purchases by frequency before."""
    figure = Figure(figsize=(9, 3), layout="constrained")
    steps = {"CDNOW": 1, "completejourney": 15, "UCI Online Retail": 2}
    for axes, each in zip(figure.subplots(1, 3), results()[1], strict=True):
        step = steps[each.shop]
        grouped = (
            each.customers.with_columns(group=(pl.col("frequency") // step).clip(upper_bound=7) * step)
            .group_by("group")
            .agg(pl.col("expected", "made").mean())
            .sort("group")
        )
        axes.plot(grouped["group"], grouped["made"], "o-", color="#246", label="made")
        axes.plot(grouped["group"], grouped["expected"], "s--", color="#c44", label="expected")
        axes.set(title=f"{each.shop}, {each.days} days", xlabel="repeat purchases before", ylim=(0, None))
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("purchases after")
    figure.axes[0].legend(frameon=False)
    return figure


if __name__ == "__main__":
    write(__file__, page, plot, font_size=10)
