"""Forecasts of many daily series with their intervals, as an asset makes them every night."""

from __future__ import annotations

import time
from datetime import date

import numpy as np

from benchmarks.bench import Bench
from benchmarks.models.memory import peak_memory
from benchmarks.results import Result, Target, figure
from models_ml.forecasting import DailySeries, Model, forecast_all

_SERIES = 200
_DAYS = 400
_HORIZON = 30
_MOST_SECONDS = 5.0


def measure(bench: Bench) -> Result:
    """Forecast the same series again and again, by smoothing and by the seasonal naive model."""
    series = daily_series(bench.scaled(_SERIES))
    seconds: dict[Model, list[float]] = {Model.ETS: [], Model.SEASONAL_NAIVE: []}
    for repetition in range(bench.repetitions):
        for model, samples in seconds.items():
            start = time.perf_counter()
            forecast_all(series, _HORIZON, seed=repetition, models=model).to_frame()
            samples.append(time.perf_counter() - start)
        bench.say(f"repetition {repetition + 1}: {len(series)} series in {seconds[Model.ETS][-1]:.2f} s")
    figures = {model: figure(f"{len(series)} series by {model}", "s", samples) for model, samples in seconds.items()}
    return Result(
        benchmark="forecasting",
        figures=tuple(figures.values()),
        targets=(
            Target("daily series with intervals", "s", figures[Model.ETS].median, _MOST_SECONDS),
            peak_memory(),
        ),
    )


def daily_series(count: int, seed: int = 7) -> dict[str, DailySeries]:
    """Counts with a weekly rhythm at wandering levels from some ten to some thousand a day."""
    rng = np.random.default_rng(seed)
    weekdays = np.tile([0.9, 0.95, 1.0, 1.0, 1.1, 1.25, 0.8], _DAYS // 7 + 1)[:_DAYS]
    made = {}
    for number in range(count):
        level = np.exp(rng.uniform(2.5, 8) + np.cumsum(rng.normal(0, 0.02, _DAYS)))
        made[f"series {number}"] = DailySeries(date(2024, 1, 1), rng.poisson(level * weekdays).astype(np.float64))
    return made
