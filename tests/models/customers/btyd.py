"""Buy-till-you-die data for tests: CDNOW as published, and customers simulated from the models' own stories."""

from __future__ import annotations

from importlib import resources

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def cdnow() -> pl.DataFrame:
    """The published sample of 2,357 customers of a CD shop: x, t_x, T in weeks, zbar (mean value of repeat purchases)."""
    path = resources.files("lifetimes") / "datasets" / "cdnow_customers_summary_with_transactions.csv"
    return pl.read_csv(path.read_bytes())


def bg_nbd_customers(
    theta: tuple[float, float, float, float], ages: Floats, seed: int
) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Histories of customers who buy and leave as BG/NBD tells it, one purchase after the other: x, t_x, and their λ."""
    (r, alpha, a, b), chance = theta, np.random.default_rng(seed)
    rate, leaving = chance.gamma(r, 1 / alpha, len(ages)), chance.beta(a, b, len(ages))
    x, t_x, now, alive = (
        np.zeros(len(ages), np.int64),
        np.zeros(len(ages)),
        np.zeros(len(ages)),
        np.ones(len(ages), bool),
    )
    while alive.any():
        now = now + chance.exponential(1 / rate)
        bought = alive & (now <= ages)
        x[bought] += 1
        t_x[bought] = now[bought]
        alive = bought & (chance.random(len(ages)) >= leaving)
    return x, t_x, rate


def mean_values(p: float, q: float, v: float, x: NDArray[np.int64], seed: int) -> Floats:
    """Mean order values of customers with x orders each, as Gamma-Gamma tells it."""
    chance = np.random.default_rng(seed)
    nu = chance.gamma(q, 1 / v, len(x))
    return np.asarray(chance.gamma(p * np.maximum(x, 1), 1 / (nu * np.maximum(x, 1))))
