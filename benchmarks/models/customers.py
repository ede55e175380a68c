"""Lifetime values, churn scores and recommendations of many customers.

Each round runs in a child process: ``python -m benchmarks.models.customers JOB '{"input": …}'`` makes its data, does the work
once, and prints the seconds of the work alone. lifetimes fits the same customers as we do, by its default settings.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.bench import Bench
from benchmarks.process import run_python
from benchmarks.results import Figure, Result, Target, figure
from models_ml.customers import (
    ChurnMethod,
    ChurnModel,
    ItemSimilarity,
    LifetimeModel,
    churn_features,
    churn_snapshots,
    fit_item_similarity,
    fit_lifetime_model,
    recommend,
    train_churn,
)

_CUSTOMERS = 1_000_000
_USERS = 200_000
_PRODUCTS = 10_000
_MOST_MIB = 4096
_START = datetime(2024, 1, 1, tzinfo=UTC)


def measure(bench: Bench) -> Result:
    """Every round ours and lifetimes take turns."""
    jobs = {
        "lifetime": ("BG/NBD + Gamma-Gamma fitted", bench.scaled(_CUSTOMERS), 3.0),
        "churn": ("churn scores with reasons", bench.scaled(_CUSTOMERS), 10.0),
        "items": ("item-item similarity and top 5", bench.scaled(_USERS), 15.0),
    }
    figures: list[Figure] = []
    targets: list[Target] = []
    peer: list[float] = []
    ratios: list[float] = []
    for job, (name, customers, limit) in jobs.items():
        seconds, peaks = [], []
        for repetition in range(bench.repetitions):
            found, peak = _run(job, customers)
            seconds.append(found["seconds"])
            peaks.append(peak)
            bench.say(f"{name}, repetition {repetition + 1}: {seconds[-1]:.2f} s")
            if job == "lifetime":
                theirs, _ = _run("lifetimes", customers)
                peer.append(theirs["seconds"])
                bench.say(f"the same by lifetimes: {peer[-1]:.2f} s")
                ratios.append(peer[-1] / seconds[-1])
        time_taken = figure(f"{name}, {customers:,} customers", "s", seconds)
        memory = figure(f"{name}: peak memory of the process", "MiB", peaks)
        figures += [time_taken, memory]
        targets += [
            Target(f"{name} (median)", "s", time_taken.median, limit),
            Target(f"{name}: peak memory", "MiB", max(peaks), _MOST_MIB),
        ]
    ratio = figure("lifetimes' time over ours", "times", ratios)
    figures += [figure("the same fitted by lifetimes", "s", peer), ratio]
    targets.append(Target("lifetimes' time over ours (median)", "times", ratio.median, 10.0, at_least=True))
    return Result("customers", tuple(figures), tuple(targets))


def _run(job: str, customers: int) -> tuple[Mapping[str, float], float]:
    arguments = ["-m", "benchmarks.models.customers", job, json.dumps({"customers": customers})]
    finished = run_python(arguments, os.environ)
    return json.loads(finished.output.splitlines()[-1]), finished.peak_bytes / 2**20


def lifetime(*, customers: int) -> Mapping[str, float]:
    """Both fits of the lifetime value."""
    histories = _histories(customers)
    started = time.perf_counter()
    model = fit_lifetime_model(histories)
    seconds = time.perf_counter() - started
    assert isinstance(model, LifetimeModel), model
    return {"seconds": seconds, "r": model.purchases.r, "q": model.order_value.q}


def lifetimes(*, customers: int) -> Mapping[str, float]:
    """Both fits by the peer."""
    from lifetimes import BetaGeoFitter, GammaGammaFitter  # noqa: PLC0415

    x, t_x, age, value = (
        _histories(customers)[name].to_numpy() for name in ("frequency", "recency", "age", "mean_value")
    )
    again = x > 0
    started = time.perf_counter()
    purchases = BetaGeoFitter().fit(x, t_x, age)
    order_value = GammaGammaFitter().fit(x[again], value[again])
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "r": purchases.params_["r"], "q": order_value.params_["q"]}


def churn(*, customers: int) -> Mapping[str, float]:
    """Scores with reasons of customers whose features are there; the model is trained on a few of them."""
    orders = _orders(min(customers, 2_000))
    cutoffs = (_START + timedelta(days=200), _START + timedelta(days=230))
    model = train_churn(churn_snapshots(orders, cutoffs), ChurnMethod.BOOSTING, seed=1)
    assert isinstance(model, ChurnModel), model
    few = churn_features(orders, _START + timedelta(days=300))
    chance = np.random.default_rng(2)
    features = few.drop("customer_id")[chance.integers(0, len(few), customers)]
    spread = features.with_columns(pl.all() * pl.Series(chance.uniform(0.7, 1.4, customers)))
    crowd = spread.with_columns(customer_id=pl.int_range(customers, eager=True))
    started = time.perf_counter()
    model.score(crowd)
    return {"seconds": time.perf_counter() - started}


def items(*, customers: int) -> Mapping[str, float]:
    """Similarity of all products and five recommendations for every customer, each with about 20 purchases."""
    chance = np.random.default_rng(3)
    bought = np.repeat(np.arange(customers), chance.poisson(20, customers) + 1)
    popularity = 1 / np.arange(1, _PRODUCTS + 1) ** 0.8
    product = chance.choice(_PRODUCTS, len(bought), p=popularity / popularity.sum())
    # Half of what a customer buys is of a taste that others share, so that there is something to find.
    taste = chance.integers(0, 50, customers)[bought]
    product = np.where(chance.random(len(bought)) < 0.5, product // 50 * 50 + taste, product)
    history = pl.DataFrame({"customer_id": bought, "product_id": product})
    purchases = history.select("product_id", basket_id=pl.int_range(pl.len()) // 4)
    recent = history.sample(fraction=0.2, seed=1)
    started = time.perf_counter()
    similarity = fit_item_similarity(purchases)
    assert isinstance(similarity, ItemSimilarity), similarity
    recommend(similarity, pl.int_range(customers, eager=True), history, recent)
    return {"seconds": time.perf_counter() - started}


def _histories(customers: int) -> pl.DataFrame:
    """Histories of two years in whole days, of customers who buy at their own pace and leave after some purchase."""
    chance = np.random.default_rng(1)
    age = chance.integers(30, 730, customers).astype(np.float64)
    wanted = chance.poisson(chance.gamma(0.4, 1 / 60, customers) * age)
    x = np.minimum(wanted, chance.geometric(chance.beta(0.9, 2.5, customers)))
    last = np.ceil(age * chance.random(customers) ** (1 / np.maximum(x, 1)))
    nu = chance.gamma(3.5, 1 / 80, customers)
    value = chance.gamma(5.0 * np.maximum(x, 1), 1 / (nu * np.maximum(x, 1)))
    return pl.DataFrame(
        {
            "customer_id": np.arange(customers),
            "frequency": x,
            "recency": np.where(x > 0, last, 0.0),
            "age": age,
            "mean_value": np.where(x > 0, value, 0.0),
        }
    )


def _orders(customers: int) -> pl.DataFrame:
    chance = np.random.default_rng(4)
    count = chance.poisson(330 / (chance.gamma(1.5, 10, customers) + 2))
    customer = np.repeat(np.arange(customers), count)
    minute: NDArray[np.int64] = chance.integers(0, 330 * 1440, len(customer))
    stays = minute < 1440 * chance.exponential(300, customers)[customer]
    at = pl.lit(_START).dt.cast_time_unit("us") + pl.duration(minutes="minute")
    frame = pl.DataFrame({"customer_id": customer[stays], "minute": minute[stays]})
    return frame.select("customer_id", ordered_at=at, amount=pl.lit(40.0))


JOBS: Mapping[str, Callable[..., Mapping[str, Any]]] = {
    job.__name__: job for job in (lifetime, lifetimes, churn, items)
}

if __name__ == "__main__":
    print(json.dumps(JOBS[sys.argv[1]](**json.loads(sys.argv[2]))))
