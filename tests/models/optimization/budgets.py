"""Random budget problems and slow, obvious ways to solve them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import cvxpy as cp
import numpy as np
from numpy.typing import NDArray

from models_ml.optimization import Limits, PowerCurves, ResponseCurves
from models_ml.optimization.limits import bounds_of

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Problem:
    curves: PowerCurves
    total: float
    limits: Limits


def random_problem(seed: int, *, channels: bool = True) -> Problem:
    """A feasible problem: its limits are laid around a split that keeps to all of them."""
    rng = np.random.default_rng(seed)
    size = int(rng.integers(2, 12))
    curves = PowerCurves(rng.uniform(0.5, 20, size), rng.uniform(0.3, 0.95, size))
    inside = rng.uniform(5, 100, size)
    current = inside * rng.uniform(0.8, 1.25, size)
    limits = Limits(
        minimum=inside * rng.uniform(0, 1, size),
        maximum=np.where(rng.random(size) < 0.3, np.inf, inside * rng.uniform(1, 3, size)),
        current=current if rng.random() < 0.5 else None,
        max_change=float(rng.uniform(0.3, 0.9)),
    )
    if channels and rng.random() < 0.6:
        number = rng.integers(0, 3, size)
        sums = np.bincount(number, inside, 3)
        limits = Limits(
            **{name: getattr(limits, name) for name in ("minimum", "maximum", "current", "max_change")},
            channel=number,
            channel_minimum=sums * rng.uniform(0.3, 1.0, 3),
            channel_maximum=sums * rng.uniform(1.0, 1.5, 3),
        )
    return Problem(curves, float(inside.sum()), limits)


def convex_optimum(problem: Problem) -> float:
    """The optimal revenue by an interior-point solver (Clarabel through cvxpy)."""
    curves, limits = problem.curves, problem.limits
    bounds = bounds_of(limits, len(curves))
    spend, power = cp.Variable(len(curves)), cp.Variable(len(curves))
    cones = cp.PowCone3D(spend, np.ones(len(curves)), power, curves.exponent)
    kept = [cones, cp.sum(spend) == problem.total, spend >= bounds.lower]
    kept += [spend[k] <= most for k, most in enumerate(bounds.upper) if np.isfinite(most)]
    if bounds.channel is not None:
        for each, (least, most) in enumerate(zip(bounds.channel_lower, bounds.channel_upper, strict=True)):
            members = np.flatnonzero(bounds.channel == each)
            if len(members):
                kept += [cp.sum(spend[members]) >= least, cp.sum(spend[members]) <= most]
    tried = cp.Problem(cp.Maximize(curves.scale @ power), kept)
    tried.solve(solver=cp.CLARABEL, tol_gap_abs=1e-10, tol_gap_rel=1e-10, tol_feas=1e-10)
    return float(tried.value)


def best_on_grid(curves: ResponseCurves, units: int, unit: float, viable: Floats, maximum: Floats) -> float:
    """The best revenue of all splits of ``units`` amounts of money, each campaign at 0 or at least ``viable``."""
    best = -np.inf
    for split in product(range(units + 1), repeat=len(curves) - 1):
        rest = units - sum(split)
        spend = np.array([*split, rest], dtype=np.float64) * unit
        if rest < 0 or (spend > maximum + 1e-9).any() or ((spend > 0) & (spend < viable - 1e-9)).any():
            continue
        best = max(best, float(curves.revenue(spend).sum()))
    return best
