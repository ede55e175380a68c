"""Writes attribution.md and attribution.svg: a company whose journeys and true effects are known.

``python docs/models/attribution.py`` renews both.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

import matplotlib as mpl
import numpy as np
import polars as pl
from guide import markdown, write
from matplotlib.figure import Figure

from models_ml.attribution import (
    Attribution,
    Model,
    PathRules,
    Paths,
    attribute,
    bootstrap,
    choose_order,
    collect_paths,
    markov,
    restatement,
    shapley,
)

CUSTOMERS = 20_000
EFFECTS = {"video": 0.9, "social": 0.35, "email": 0.5, "direct": 0.0}
"""What each channel adds to the log-odds of a conversion; direct visits follow a decision and cause nothing."""


@dataclass(frozen=True)
class World:
    """Events, and the conversions that each channel caused on average."""

    touches: pl.DataFrame
    conversions: pl.DataFrame
    caused: dict[str, float]


def world(seed: int = 4) -> World:
    """Customers of different intent meet advertising at random; who is about to buy comes by direct visit."""
    rng = np.random.default_rng(seed)
    intent = rng.normal(0, 1, CUSTOMERS)
    met = {name: rng.poisson(rate, CUSTOMERS) for name, rate in (("video", 0.5), ("social", 0.9), ("email", 0.6))}
    effect = sum(EFFECTS[name] * (count > 0) for name, count in met.items())
    chance = _chance(intent + effect)
    caused = {
        name: float((chance - _chance(intent + effect - EFFECTS[name] * (count > 0))).sum())
        for name, count in met.items()
    }
    buys = rng.random(CUSTOMERS) < chance
    met["direct"] = (rng.random(CUSTOMERS) < np.where(buys, 0.7, 0.08)).astype(np.int64)
    end = np.datetime64("2025-06-30T00:00:00", "us") - rng.integers(0, 86_400 * 20, CUSTOMERS).astype("m8[s]")
    # Video comes first as a rule, direct last.
    reach = {"video": (10, 24), "social": (2, 22), "email": (1, 14), "direct": (0, 1)}
    frames = []
    for name, count in met.items():
        user = np.repeat(np.arange(CUSTOMERS), count)
        days = rng.uniform(*reach[name], len(user))
        frames.append(
            pl.DataFrame(
                {
                    "user_id": user,
                    "occurred_at": end[user] - (days * 86_400e6).astype("m8[us]"),
                    "channel": [name] * len(user),
                }
            )
        )
    touches = pl.concat(frames).with_row_index("touch_id").with_columns(kind=pl.lit("click"))
    buyers = np.flatnonzero(buys)
    return World(
        touches=touches,
        conversions=pl.DataFrame(
            {
                "conversion_id": buyers,
                "user_id": buyers,
                "occurred_at": end[buyers],
                "revenue": np.round(rng.gamma(4, 15, len(buyers)), 2),
            }
        ),
        caused=caused | {"direct": 0.0},
    )


@cache
def results() -> tuple[World, Paths, Attribution, pl.DataFrame]:
    """The company, its paths, all credit, and a table of it beside what each channel caused."""
    company = world()
    paths = collect_paths(company.touches, company.conversions)
    run = attribute(paths)
    credit = run.to_frame().pivot("model", index="channel", values="conversions").sort("channel")
    return (
        company,
        paths,
        run,
        credit.with_columns(caused=pl.Series([company.caused[name] for name in credit["channel"]])),
    )


def page() -> str:
    """The guide, with all its figures computed."""
    company, paths, run, table = results()
    chain, game = (bootstrap(paths, model, seed=1) for model in (markov, shapley))
    order = choose_order(paths, seed=1)
    without_direct = collect_paths(
        company.touches, company.conversions, PathRules(remove_if_not_only=frozenset({"direct"}))
    )
    log = restatement(run.to_frame(), attribute(without_direct).to_frame(), paths.rules, without_direct.rules).filter(
        pl.col("model") == Model.LAST_TOUCH
    )
    at = datetime(2025, 6, 30, tzinfo=UTC)
    return f"""# Attribution

*Made by `python docs/models/attribution.py` from a simulated company of {CUSTOMERS:,} customers up to {at:%B %Y}.*

## What it answers

Which channels were on the way to the conversions, and how much of each conversion does each get? The touches in the
30 days before a conversion are its path; equal paths are counted together; eight models share the conversions and the
revenue out. Whatever the model, credit sums to what was converted with at least one touch
({paths.conversions.sum():,.0f} conversions here; {paths.unattributed_conversions:,.0f} more had none and stay visible
as unattributed).

```python
paths = collect_paths(touches, conversions, PathRules(level="channel"))
attribute(paths).to_frame()                          # all models: model, channel, conversions, revenue
bootstrap(paths, markov, seed=1).to_frame()          # intervals
choose_order(paths, seed=1)                          # how much memory the chain should have
```

{markdown(table)}

The last column is known because the company is simulated: how many conversions would not have happened without the
channel. Direct visits are made by people who have decided; they cause nothing.

![Credit by model and channel, and what each channel caused](attribution.svg)

## How to read it

- *First* and *last touch* say who opens and who closes; here video opens and direct closes.
- *Linear, position (40/20/40), time decay (half in 7 days)* spread the credit by a rule. They differ in taste, not in evidence.
- *Markov* asks what the flow of all journeys, converted or not, would lose without the channel, and shares the
  conversions in that proportion. {_interval("direct", chain)}
- *Shapley* asks what each set of channels converts, and gives each channel its mean contribution to the sets. A negative
  value says that journeys with the channel convert less. {_interval("direct", game)}
- *Shapley simplified* is linear over distinct channels; it looks at converted journeys only.
- The best order of the chain is {getattr(order, "order", "unknown")} here (penalized AUC
  {", ".join(f"{value:.4f}" for value in getattr(order, "penalized_auc", ()))} for orders 1, 2, 3): what came before the last
  touch tells {"little" if getattr(order, "order", 0) == 1 else "something"} about who converts.

Rules matter as much as models, so a restatement says which rule moved what. Leaving direct out of paths that have other
channels changes the last touch like this:

{markdown(log.select("channel", "conversions_before", "conversions_after", "cause", "details"))}

## When not to trust it

- No model here knows why people bought. Direct caused nothing and gets up to
  {table.filter(pl.col("channel") == "direct").select(pl.max_horizontal(pl.exclude("channel", "caused"))).item():,.0f}
  conversions; without video, which caused most, {company.caused["video"]:,.0f} would be missing, of which last touch sees
  {table.filter(pl.col("channel") == "video")["last_touch"].item():,.0f}. Use a holdout where money depends on it, and attribution to see where to look.
- Intervals hold the chance of which journeys were seen, not the choice of the model, which matters more: compare the columns.
- A chain mixes journeys: a channel that no converted journey met can be credited with what others converted later on the
  same way. Longer orders mix less, and need more journeys.
- Shapley values of sets with few journeys are noise; look at their intervals.
- Touches that nobody recorded (other devices, shops, word of mouth) are not there for any model.
"""


def _chance(log_odds: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(3.2 - log_odds))


def _interval(channel: str, found: object) -> str:
    rows = found.to_frame().filter(pl.col("channel") == channel).to_dicts()  # type: ignore[attr-defined]
    row = rows[0]
    return (
        f"Here {channel} gets {row['conversions']:,.0f}, with a 95 % interval from {row['conversions_lower']:,.0f} to "
        f"{row['conversions_upper']:,.0f}."
    )


def plot() -> Figure:
    """Credit by channel and model, beside what each channel caused."""
    *_, table = results()
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    axes = figure.subplots()
    models = [name for name in table.columns if name not in ("channel", "caused")]
    for number, model in enumerate(models):
        axes.bar(
            np.arange(len(table)) + (number - (len(models) - 1) / 2) * 0.1,
            table[model],
            width=0.1,
            color=mpl.colormaps["viridis"](number / len(models)),
            label=model.replace("_", " "),
        )
    caused = table["caused"].to_numpy()
    where = np.arange(len(table))
    axes.hlines(caused, where - 0.45, where + 0.45, color="crimson", linewidth=2, label="caused (known truth)")
    axes.set_xticks(where, table["channel"].to_list())
    axes.set_ylabel("conversions")
    axes.set_title("Credit is a share of what happened, not of what was caused")
    axes.legend(frameon=False, ncols=2)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    write(__file__, page, plot)
