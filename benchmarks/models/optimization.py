"""Budgets against convex solvers: how fast the exact split is found, and how near it is to theirs on random cases."""

from __future__ import annotations

import time
from collections.abc import Callable

import cvxpy as cp
import numpy as np
from scipy import optimize

from benchmarks.bench import Bench
from benchmarks.models.memory import peak_memory
from benchmarks.results import Result, Target, figure
from models_ml.optimization import Limits, PowerCurves, allocate_budget

_FEW, _MANY, _CASES = 100, 1_000_000, 1_000
_MOST_FOR_FEW, _MOST_FOR_MANY = 1.0, 150.0
_MOST_APART = 1e-6


def measure(bench: Bench) -> Result:
    """Split the same budgets with minimum, maximum and ±30 % per campaign; all solvers take turns."""
    few, many = _problem(_FEW, 1), _problem(bench.scaled(_MANY), 2)
    ways: dict[str, Callable[[], object]] = {
        f"{_FEW} campaigns": lambda: allocate_budget(*few),
        f"{_FEW} campaigns, SciPy SLSQP": lambda: _slsqp(*few),
        f"{_FEW} campaigns, cvxpy (Clarabel)": lambda: _cvxpy(*few),
        f"{bench.scaled(_MANY):,} campaigns": lambda: allocate_budget(*many),
    }
    milliseconds: dict[str, list[float]] = {name: [] for name in ways}
    for repetition in range(bench.repetitions):
        for name, way in ways.items():
            milliseconds[name].append(_timed(way))
        bench.say(f"repetition {repetition + 1}: {milliseconds[f'{_FEW} campaigns'][-1]:.2f} ms for {_FEW} campaigns")
    apart = [_apart(seed) for seed in range(bench.scaled(_CASES))]
    bench.say(f"{len(apart):,} random cases: objective at most {max(apart):.1e} from cvxpy's")
    figures = [figure(name, "ms", samples) for name, samples in milliseconds.items()]
    # In parts of a millionth, since tables show two decimals.
    distance = figure("distance of the objective from cvxpy's", "10⁻⁶", [1e6 * each for each in apart])
    ours, slsqp, clarabel, ours_many = (each.median for each in figures)
    return Result(
        benchmark="optimization",
        figures=(*figures, distance),
        targets=(
            Target(f"{_FEW} campaigns", "ms", ours, _MOST_FOR_FEW),
            Target(f"{bench.scaled(_MANY):,} campaigns", "ms", ours_many, _MOST_FOR_MANY),
            Target("vs. SciPy SLSQP", "×", slsqp / ours, 1, at_least=True),
            Target("vs. cvxpy", "×", clarabel / ours, 1, at_least=True),
            Target(f"largest distance in {len(apart):,} cases", "10⁻⁶", 1e6 * max(apart), 1e6 * _MOST_APART),
            peak_memory(),
        ),
    )


def _problem(campaigns: int, seed: int) -> tuple[PowerCurves, float, Limits]:
    """A feasible problem with bounds on both sides: the current spend keeps to all of them."""
    rng = np.random.default_rng(seed)
    curves = PowerCurves(rng.uniform(0.5, 20, campaigns), rng.uniform(0.5, 0.95, campaigns))
    current = rng.uniform(5, 100, campaigns)
    limits = Limits(
        minimum=current * rng.uniform(0, 1, campaigns),
        maximum=current * rng.uniform(1, 3, campaigns),
        current=current,
    )
    return curves, float(current.sum()), limits


def _bounds(limits: Limits) -> tuple[np.ndarray, np.ndarray]:
    current = np.asarray(limits.current)
    return np.maximum(limits.minimum, 0.7 * current), np.minimum(limits.maximum, 1.3 * current)


def _slsqp(curves: PowerCurves, total: float, limits: Limits) -> float:
    lower, upper = _bounds(limits)
    found = optimize.minimize(
        lambda spend: -float(curves.revenue(spend).sum()),
        np.asarray(limits.current),
        jac=lambda spend: -curves.marginal(spend),
        method="SLSQP",
        bounds=list(zip(lower, upper, strict=True)),
        constraints={"type": "eq", "fun": lambda spend: spend.sum() - total, "jac": np.ones_like},
        options={"ftol": 1e-12, "maxiter": 1_000},
    )
    return float(-found.fun)


def _cvxpy(curves: PowerCurves, total: float, limits: Limits) -> float:
    """As exponential cones, spend^b = exp(b·log spend) has no form; power cones have, and take any exponent."""
    lower, upper = _bounds(limits)
    spend, revenue = cp.Variable(len(curves)), cp.Variable(len(curves))
    cone = cp.PowCone3D(spend, np.ones(len(curves)), revenue, curves.exponent)
    problem = cp.Problem(
        cp.Maximize(curves.scale @ revenue), [cone, cp.sum(spend) == total, spend >= lower, spend <= upper]
    )
    problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-10, tol_gap_rel=1e-10, tol_feas=1e-10)
    return float(problem.value)


def _apart(seed: int) -> float:
    """Relative distance of the two optima of a random problem."""
    curves, total, limits = _problem(int(np.random.default_rng(seed).integers(2, 30)), 1_000 + seed)
    optimum = _cvxpy(curves, total, limits)
    return abs(float(allocate_budget(curves, total, limits).revenue.sum()) - optimum) / optimum


def _timed(way: Callable[[], object]) -> float:
    """Milliseconds of one call; a short one is repeated and shared out."""
    began, calls = time.perf_counter(), 0
    while not calls or time.perf_counter() - began < 0.05:
        way()
        calls += 1
    return 1_000 * (time.perf_counter() - began) / calls
