"""Attribution against its peers: ChannelAttribution's simulated chain, the Shapley values of marketing-attribution-models."""

from __future__ import annotations

import time
from collections.abc import Callable

import ChannelAttribution
import numpy as np
import pandas as pd
import polars as pl
from mam import MAM

from benchmarks.bench import Bench
from benchmarks.models.memory import peak_memory
from benchmarks.results import Result, Target, figure
from models_ml.attribution import Model, Paths, attribute, markov, shapley

_JOURNEYS = 10_000_000
_PATHS = 200_000
_CHANNELS = 12
_SEVEN = tuple(model for model in Model if model is not Model.SHAPLEY_SIMPLIFIED)

_MOST_SECONDS = 3.0
_LEAST_RATIO_TO_CHANNEL_ATTRIBUTION = 10
_LEAST_RATIO_TO_MAM = 50


def measure(bench: Bench) -> Result:
    """Credit the same aggregated paths by all; the peers are given their input ready made, as we are."""
    paths = aggregated_paths(bench.scaled(_PATHS), bench.scaled(_JOURNEYS))
    frame = paths.to_frame().select(
        pl.col("path").list.join(" > "), pl.col("conversions", "unconverted").cast(pl.Int64), "revenue"
    )
    table = pd.DataFrame({column: frame[column].to_list() for column in frame.columns})
    grouped = MAM(
        pl.concat(
            frame.select("path", count=pl.col(outcome), converted=pl.lit(outcome == "conversions"))
            for outcome in ("conversions", "unconverted")
        ).filter(pl.col("count") > 0),
        "grouped_journey",
        channels_colname="path",
        journey_with_conv_colname="converted",
        occurrences_colname="count",
    )
    ways: dict[str, Callable[[], object]] = {
        "seven models": lambda: attribute(paths, _SEVEN),
        "Markov order 1": lambda: markov(paths),
        "ChannelAttribution": lambda: ChannelAttribution.markov_model(
            table, "path", "conversions", var_value="revenue", var_null="unconverted", verbose=False, flg_pro=False
        ),
        "Shapley": lambda: shapley(paths),
        "marketing-attribution-models": grouped.run_shapley,
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for repetition in range(bench.repetitions):
        for name, way in ways.items():
            seconds[name].append(_timed(way))
        bench.say(f"repetition {repetition + 1}: seven models in {seconds['seven models'][-1]:.2f} s")
    figures = {name: figure(name, "s", samples) for name, samples in seconds.items()}
    to_simulated = figures["ChannelAttribution"].median / figures["Markov order 1"].median
    to_mam = figures["marketing-attribution-models"].median / figures["Shapley"].median
    return Result(
        benchmark="attribution",
        figures=tuple(figures.values()),
        targets=(
            Target("seven models", "s", figures["seven models"].median, _MOST_SECONDS),
            Target(
                "Markov vs. ChannelAttribution", "×", to_simulated, _LEAST_RATIO_TO_CHANNEL_ATTRIBUTION, at_least=True
            ),
            Target("Shapley vs. marketing-attribution-models", "×", to_mam, _LEAST_RATIO_TO_MAM, at_least=True),
            peak_memory(),
        ),
    )


def aggregated_paths(count: int, journeys: int, seed: int = 7) -> Paths:
    """So many unique paths of 1 to some 15 touches, on which so many journeys went, one in ten to a conversion."""
    rng = np.random.default_rng(seed)
    lengths = 1 + rng.poisson(5, 2 * count)
    channels = np.array([f"channel {number:02d}" for number in range(_CHANNELS)])
    touches = pl.Series(rng.choice(channels, lengths.sum(), p=rng.dirichlet(np.full(_CHANNELS, 3.0))))
    drawn = pl.DataFrame({"path": np.repeat(np.arange(2 * count), lengths), "channel": touches})
    lists = drawn.group_by("path", maintain_order=True).agg("channel")["channel"]
    unique = lists.unique(maintain_order=True).head(count)
    size, conversion = len(unique), pl.col("conversions") / pl.col("path").list.len()
    conversions, unconverted = rng.poisson(np.outer([0.1, 0.9], np.full(size, journeys / size)))
    frame = pl.DataFrame({"path": unique, "conversions": conversions, "unconverted": unconverted})
    shares = conversion.repeat_by(pl.col("path").list.len())
    return Paths.from_frame(
        frame.with_columns(
            revenue=pl.col("conversions") * 60.0, decayed_conversions=shares, decayed_revenue=shares * 60.0
        )
    )


def _timed(way: Callable[[], object]) -> float:
    start = time.perf_counter()
    way()
    return time.perf_counter() - start
