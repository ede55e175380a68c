"""Lift that is known: how often the interval of a simulated company's holdouts holds what its messages truly cause."""

from __future__ import annotations

from datetime import UTC, datetime

from benchmarks.bench import Bench
from benchmarks.results import Result, Target, figure
from models_ml.experiments import Comparison, Conversions, Estimate, compare_conversions, log_delta_lift
from models_ml.simulation import World, true_lift
from quality.contracts import load_contract

_SEEDS = 1_000
_END = datetime(2025, 6, 30, tzinfo=UTC)
_DAYS, _CUSTOMERS, _EVENTS = 60, 20_000, 100_000
_LEAST, _MOST = 93.0, 97.0
"""Percent; three standard errors of 95 % over a thousand seeds are 2.1 points."""


def measure(bench: Bench) -> Result:
    """Simulate one company per seed and read all its holdouts together; the truth is the mean effect on its treated users."""
    seeds = bench.scaled(_SEEDS)
    held, widths, contract = {"lift in points": 0, "relative lift": 0}, [], load_contract()
    for seed in range(seeds):
        world = World(end=_END, seed=seed, days=_DAYS, customers=_CUSTOMERS, events=_EVENTS)
        (truth,) = true_lift(world, contract).drop("campaign", "pattern").sum().to_dicts()
        treated, holdout = (Conversions(truth[arm], truth[f"converted_{arm}"]) for arm in ("treated", "holdout"))
        found = compare_conversions(treated, holdout)
        assert isinstance(found, Comparison), found
        added, converted = truth["expected_incremental"], truth["expected_converted_treated"]
        held["lift in points"] += _holds(found.difference, added / treated.users)
        held["relative lift"] += _holds(log_delta_lift(treated, holdout), added / (converted - added))
        widths.append(100 * (found.difference.high - found.difference.low))
        if (seed + 1) % 100 == 0:
            shown = ", ".join(f"{name} {100 * each / (seed + 1):.1f} %" for name, each in held.items())
            bench.say(f"{seed + 1:,} companies: {shown}")
    coverage = {name: 100 * each / seeds for name, each in held.items()}
    # Below a full thousand seeds chance alone can miss a target; it is shown all the same.
    return Result(
        benchmark="lift",
        figures=(
            *(figure(f"coverage, {name}", "%", [each]) for name, each in coverage.items()),
            figure("width of the interval of the lift", "points", widths),
        ),
        targets=(
            *(
                Target(f"coverage, {name}, at least", "%", each, _LEAST, at_least=True)
                for name, each in coverage.items()
            ),
            *(Target(f"coverage, {name}, at most", "%", each, _MOST) for name, each in coverage.items()),
        ),
    )


def _holds(estimate: object, truth: float) -> bool:
    assert isinstance(estimate, Estimate), estimate
    return estimate.low <= truth <= estimate.high
