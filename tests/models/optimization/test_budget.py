"""The best split of a budget: against a convex solver, brute force, and the conditions of an optimum."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from models_ml.optimization import (
    Allocation,
    Bound,
    CarryOverCurves,
    HillCurves,
    InfeasibleBudgetError,
    Limits,
    PowerCurves,
    ResponseCurves,
    allocate_budget,
    budget_frontier,
)
from models_ml.optimization.limits import bounds_of
from tests.models.optimization import budgets

CURVES = PowerCurves(np.array([3.0, 2.0, 1.0, 4.0]), np.array([0.8, 0.7, 0.9, 0.6]))


def held(plan: Allocation) -> list[Bound]:
    return [list(Bound)[code] for code in plan.held.tolist()]


def check_optimal(curves: ResponseCurves, plan: Allocation, total: float, limits: Limits) -> None:
    """Karush, Kuhn and Tucker: feasible, and no money could move to where it brings more."""
    bounds = bounds_of(limits, len(curves))
    assert plan.spend.sum() == pytest.approx(total, rel=1e-9)
    assert (plan.spend >= bounds.lower * (1 - 1e-9) - 1e-12).all()
    assert (plan.spend <= bounds.upper * (1 + 1e-9) + 1e-12).all()
    price = np.full(len(curves), plan.price)
    if bounds.channel is not None:
        sums = np.bincount(bounds.channel, plan.spend, len(bounds.channel_lower))
        assert (sums >= bounds.channel_lower * (1 - 1e-9)).all()
        assert (sums <= bounds.channel_upper * (1 + 1e-9)).all()
        price = price + plan.channel_price[bounds.channel]
        tight = np.maximum(1e-6 * np.abs(sums), 1e-9)
        assert (plan.channel_price[sums > bounds.channel_lower + tight] >= -1e-6 * plan.price).all()
        assert (plan.channel_price[sums < bounds.channel_upper - tight] <= 1e-6 * plan.price).all()
    can_fall, can_rise = plan.spend > bounds.lower * (1 + 1e-7), plan.spend < bounds.upper * (1 - 1e-7)
    assert (plan.marginal[can_fall] >= price[can_fall] * (1 - 1e-6)).all()
    assert (plan.marginal[can_rise] <= price[can_rise] * (1 + 1e-6)).all()


@pytest.mark.parametrize("seed", range(25))
def test_it_agrees_with_a_convex_solver(seed: int) -> None:
    problem = budgets.random_problem(seed)
    plan = allocate_budget(problem.curves, problem.total, problem.limits)
    assert float(plan.revenue.sum()) == pytest.approx(budgets.convex_optimum(problem), rel=1e-6)
    assert plan.gap == 0


@given(st.integers(1_000, 1_000_000))
def test_it_meets_the_conditions_of_an_optimum(seed: int) -> None:
    problem = budgets.random_problem(seed)
    plan = allocate_budget(problem.curves, problem.total, problem.limits)
    check_optimal(problem.curves, plan, problem.total, problem.limits)


def test_one_exponent_has_a_closed_form() -> None:
    """With one exponent b, spend is proportional to scale^(1/(1−b))."""
    scale = np.array([1.0, 2.0, 3.0])
    plan = allocate_budget(PowerCurves(scale, np.full(3, 0.8)), 700.0)
    expected = 700 * scale**5 / (scale**5).sum()
    assert plan.spend == pytest.approx(expected, rel=1e-12)
    assert plan.price == pytest.approx(0.8 * scale[0] * expected[0] ** -0.2, rel=1e-9)
    assert plan.binding == ("total",)


def test_the_price_is_what_one_more_unit_brings() -> None:
    limits = Limits(maximum=[np.inf, 30.0, np.inf, 50.0], channel=[0, 0, 1, 1], channel_maximum=[80.0, np.inf])
    low, high = (allocate_budget(CURVES, total, limits) for total in (199.999, 200.001))
    plan = allocate_budget(CURVES, 200.0, limits)
    assert (high.revenue.sum() - low.revenue.sum()) / 0.002 == pytest.approx(plan.price, rel=1e-5)
    wider, tighter = (
        allocate_budget(CURVES, 200.0, replace(limits, channel_maximum=[80 + change, np.inf]))
        for change in (0.001, -0.001)
    )
    gained = (wider.revenue.sum() - tighter.revenue.sum()) / 0.002
    assert gained == pytest.approx(plan.channel_price[0], rel=1e-4)
    assert "channel_maximum[0]" in plan.binding


def test_every_limit_binds_and_is_named() -> None:
    current = np.array([50.0, 50.0, 50.0, 50.0])
    plan = allocate_budget(CURVES, 200.0, Limits(current=current))
    assert (plan.spend >= 35 - 1e-9).all()
    assert (plan.spend <= 65 + 1e-9).all()
    assert {Bound.MAX_INCREASE, Bound.MAX_DECREASE} <= set(held(plan))
    locked = allocate_budget(CURVES, 220.0, Limits(current=current, locked=[False, True, False, False]))
    assert locked.spend[1] == 50
    assert held(locked)[1] is Bound.LOCKED
    bounded = allocate_budget(CURVES, 200.0, Limits(minimum=40.0, maximum=[60.0, 200, 200, 200]))
    assert held(bounded)[0] is Bound.MAXIMUM
    assert Bound.MINIMUM in held(bounded)
    minimum = allocate_budget(CURVES, 200.0, Limits(channel=[0, 0, 1, 1], channel_minimum=[0.0, 150.0]))
    assert minimum.spend[2:].sum() == pytest.approx(150)
    assert minimum.channel_price[1] < 0
    assert "channel_minimum[1]" in minimum.binding
    at_cap = allocate_budget(CURVES, 200.0, Limits(cap=200.0, pacing=500.0))
    assert at_cap.binding == ("total", "cap")
    frame = bounded.frame(["a", "b", "c", "d"])
    assert frame["held_by"][0] == "maximum"
    assert frame["spend"].sum() == pytest.approx(200)


def test_a_new_campaign_can_start_in_spite_of_the_largest_change() -> None:
    plan = allocate_budget(CURVES, 200.0, Limits(current=[60.0, 60.0, 60.0, 0.0]))
    assert plan.spend[3] > 0


@pytest.mark.parametrize(
    ("total", "limits", "constraints"),
    [
        (100.0, Limits(minimum=30.0), ("total", "minimum")),
        (100.0, Limits(maximum=20.0), ("total", "maximum")),
        (300.0, Limits(current=[50.0] * 4), ("total", "max_change")),
        (100.0, Limits(minimum=[0, 50, 0, 0], maximum=[9, 40, 9, 90]), ("minimum", "maximum")),
        (100.0, Limits(cap=90.0), ("total", "cap")),
        (100.0, Limits(pacing=90.0), ("total", "pacing")),
        (100.0, Limits(channel=[0, 0, 1, 1], channel_maximum=[20.0, 30.0]), ("total", "channel_maximum")),
        (100.0, Limits(channel=[0, 0, 1, 1], channel_minimum=[90.0, 30.0]), ("total", "channel_minimum")),
        (100.0, Limits(channel=[0, 0, 1, 1], channel_minimum=9.0, channel_maximum=[8.0, 99.0]), ("channel_minimum", "channel_maximum")),
        (100.0, Limits(current=[10.0, 50, 20, 20], locked=[1, 0, 0, 0], minimum=[20.0, 0, 0, 0]), ("locked", "minimum")),
        (5.0, Limits(minimum_viable=10.0), ("total", "minimum_viable")),
        (100.0, Limits(current=[10.0, 30, 30, 30], minimum_viable=20.0), ("minimum_viable", "max_change")),
    ],
)  # fmt: skip
def test_what_cannot_be_kept_is_named(total: float, limits: Limits, constraints: tuple[str, ...]) -> None:
    with pytest.raises(InfeasibleBudgetError) as raised:
        allocate_budget(CURVES, total, limits)
    assert raised.value.constraints == constraints
    assert all(name in str(raised.value) for name in constraints)


def test_profit_stops_where_money_no_longer_pays() -> None:
    plan = allocate_budget(CURVES, 1e9, margin=0.4)
    assert plan.marginal == pytest.approx(np.full(4, 2.5), rel=1e-9)
    assert "total" not in plan.binding
    found = optimize.minimize(
        lambda s: s.sum() - 0.4 * CURVES.revenue(s).sum(), np.full(4, 1.0), bounds=[(1e-6, None)] * 4
    )
    assert 0.4 * plan.revenue.sum() - plan.spend.sum() == pytest.approx(-found.fun, rel=1e-6)
    short = allocate_budget(CURVES, 1.0, margin=0.4)
    assert short.spend.sum() == pytest.approx(1.0)
    assert short.price > 2.5
    capped = allocate_budget(CURVES, 1e9, Limits(cap=1.0), margin=0.4)
    assert capped.spend == pytest.approx(short.spend)
    assert capped.binding == ("total", "cap")


@given(st.integers(1_000, 1_000_000), st.floats(0.1, 0.9))
def test_the_most_profitable_total_is_a_best_split_of_itself(seed: int, margin: float) -> None:
    problem = budgets.random_problem(seed)
    plan = allocate_budget(problem.curves, 2 * problem.total, problem.limits, margin=margin)
    spent = float(plan.spend.sum())
    assert allocate_budget(problem.curves, spent, problem.limits).revenue.sum() == pytest.approx(
        plan.revenue.sum(), rel=1e-9
    )

    def profit(total: float) -> float:
        return margin * float(allocate_budget(problem.curves, total, problem.limits).revenue.sum()) - total

    for other in (0.999 * spent, 1.001 * spent):
        if other <= 2 * problem.total:
            with suppress(InfeasibleBudgetError):
                assert profit(other) <= profit(spent) + 1e-9 * spent


@pytest.mark.parametrize("seed", range(12))
def test_minimum_viable_spends_against_brute_force(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size, units = 4, 24
    curves = PowerCurves(rng.uniform(1, 6, size), rng.uniform(0.5, 0.9, size))
    viable, maximum = rng.integers(2, 9, size).astype(float), rng.integers(9, 24, size).astype(float)
    best = budgets.best_on_grid(curves, units, 1.0, viable, maximum)
    plan = allocate_budget(curves, float(units), Limits(minimum_viable=viable, maximum=maximum))
    assert ((plan.spend == 0) | (plan.spend >= viable * (1 - 1e-9))).all()
    assert plan.gap == 0
    assert plan.revenue.sum() >= best * (1 - 1e-9)
    # A grid of whole units is a little worse than the optimum between them, and no more than a little.
    assert plan.revenue.sum() <= best * 1.02


@pytest.mark.parametrize("total", [12.0, 35.0, 60.0, 150.0])
@pytest.mark.parametrize("with_channels", [False, True])
def test_pauses_are_proven_best_by_trying_all(total: float, with_channels: bool) -> None:
    for seed in range(8):
        rng = np.random.default_rng(100 + seed)
        size = 6
        curves = PowerCurves(rng.uniform(1, 6, size), rng.uniform(0.6, 0.9, size))
        viable = rng.uniform(5, 30, size)
        limits = (
            Limits(channel=np.arange(size) % 2, channel_maximum=[0.4 * total, np.inf]) if with_channels else Limits()
        )
        best = 0.0
        for chosen in product([False, True], repeat=size):
            on = np.array(chosen)
            only = replace(limits, minimum=np.where(on, viable, 0.0), maximum=np.where(on, np.inf, 0.0))
            with suppress(InfeasibleBudgetError):
                best = max(best, float(allocate_budget(curves, total, only).revenue.sum()))
        if not best:
            with pytest.raises(InfeasibleBudgetError, match="minimum_viable"):
                allocate_budget(curves, total, replace(limits, minimum_viable=viable))
            continue
        plan = allocate_budget(curves, total, replace(limits, minimum_viable=viable))
        assert plan.spend.sum() == pytest.approx(total)
        assert plan.gap == 0
        assert plan.revenue.sum() == pytest.approx(best, rel=1e-8)
        assert (Bound.PAUSED in held(plan)) == bool((plan.spend == 0).any())


def test_few_of_many_can_run() -> None:
    rng = np.random.default_rng(5)
    curves = PowerCurves(rng.uniform(1, 6, 300), rng.uniform(0.6, 0.9, 300))
    plan = allocate_budget(curves, 100.0, Limits(minimum_viable=rng.uniform(25, 40, 300)))
    assert plan.spend.sum() == pytest.approx(100)
    assert (plan.spend > 0).sum() <= 4
    assert plan.gap < 0.1 * plan.revenue.sum()


def test_many_minimum_viable_spends_leave_a_small_known_gap() -> None:
    rng = np.random.default_rng(5)
    curves = PowerCurves(rng.uniform(1, 6, 300), rng.uniform(0.6, 0.9, 300))
    plan = allocate_budget(curves, 3_000.0, Limits(minimum_viable=rng.uniform(5, 40, 300)))
    assert plan.spend.sum() == pytest.approx(3_000)
    assert 0 <= plan.gap < 0.02 * plan.revenue.sum()


def hill() -> HillCurves:
    return HillCurves(np.array([500.0, 300.0, 800.0]), np.array([60.0, 20.0, 200.0]), np.array([1.0, 0.7, 1.6]))


def carried() -> CarryOverCurves:
    return CarryOverCurves(
        PowerCurves(np.array([3.0, 2.0, 1.0]), np.array([0.8, 0.7, 0.9])), 0.7, np.array([0.0, 50.0, 400.0]), 14
    )


@pytest.mark.parametrize(("curves", "minimum"), [(hill(), 90.0), (carried(), 0.0)])
def test_other_curves_against_a_general_solver(curves: ResponseCurves, minimum: float) -> None:
    limits = Limits(minimum=[0.0, 0.0, minimum], maximum=[np.inf, 150.0, np.inf])
    plan = allocate_budget(curves, 400.0, limits)
    check_optimal(curves, plan, 400.0, limits)
    found = optimize.minimize(
        lambda s: -curves.revenue(s).sum(),
        np.array([100.0, 100.0, 200.0]),
        method="SLSQP",
        bounds=[(1e-9, None), (1e-9, 150.0), (minimum + 1e-9, None)],
        constraints={"type": "eq", "fun": lambda s: s.sum() - 400.0},
        options={"ftol": 1e-13, "maxiter": 500},
    )
    assert plan.revenue.sum() >= -found.fun * (1 - 1e-9)
    assert plan.revenue.sum() == pytest.approx(-found.fun, rel=1e-5)


def test_a_curve_that_is_not_concave_where_it_may_spend_is_refused() -> None:
    with pytest.raises(ValueError, match="campaign 2 is concave only from"):
        allocate_budget(hill(), 400.0)
    with pytest.raises(ValueError, match="campaign 2 is concave only from"):
        allocate_budget(hill(), 400.0, Limits(minimum_viable=[0.0, 0.0, 95.0]))
    kept = allocate_budget(hill(), 400.0, Limits(minimum=[0.0, 0.0, 95.0]))
    assert kept.spend.sum() == pytest.approx(400)


def test_money_that_brings_nothing_is_still_spent_when_it_must_be() -> None:
    dead = PowerCurves(np.array([0.0, 2.0, 0.0]), np.array([0.8, 0.8, 0.8]))
    plan = allocate_budget(dead, 100.0, Limits(maximum=[np.inf, 60.0, 30.0]))
    assert plan.spend.sum() == pytest.approx(100)
    assert plan.spend[1] == 60
    assert plan.price == 0
    assert np.isfinite(plan.marginal[plan.spend > 0]).all()


@pytest.mark.parametrize("total", [0.0, 1e-9, 1e12])
def test_extreme_totals(total: float) -> None:
    plan = allocate_budget(CURVES, total)
    assert plan.spend.sum() == pytest.approx(total, rel=1e-9)
    assert np.isfinite(plan.spend).all()
    assert np.isfinite(plan.revenue).all()


def test_bounds_that_leave_no_choice() -> None:
    plan = allocate_budget(CURVES, 100.0, Limits(minimum=25.0))
    assert plan.spend == pytest.approx(np.full(4, 25.0))
    full = allocate_budget(CURVES, 100.0, Limits(maximum=25.0))
    assert full.spend == pytest.approx(np.full(4, 25.0))
    assert full.price == pytest.approx(full.marginal.min())
    alone = allocate_budget(CURVES.take(np.array([0])), 10.0, Limits(channel=[0], channel_maximum=[10.0]))
    assert alone.spend == pytest.approx([10.0])


def test_the_order_of_campaigns_does_not_matter() -> None:
    problem = budgets.random_problem(77, channels=False)
    plan = allocate_budget(problem.curves, problem.total)
    turned = allocate_budget(problem.curves.take(np.arange(len(problem.curves))[::-1]), problem.total)
    assert plan.spend == pytest.approx(turned.spend[::-1], rel=1e-9)


def test_the_frontier_bends_down() -> None:
    totals = [50.0, 100.0, 200.0, 400.0]
    frontier = budget_frontier(CURVES, totals, Limits(maximum=120.0))
    assert frontier["spend"].to_list() == pytest.approx(totals)
    slopes = frontier["revenue"].diff().drop_nulls() / frontier["total"].diff().drop_nulls()
    assert slopes.is_sorted(descending=True)
    assert frontier["marginal_revenue"].is_sorted(descending=True)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PowerCurves(np.array([1.0]), np.array([1.0])), "exponent"),
        (lambda: PowerCurves(np.array([-1.0]), np.array([0.5])), "scale"),
        (lambda: PowerCurves(np.array([np.nan]), np.array([0.5])), "scale"),
        (lambda: PowerCurves(np.array([1.0, 2.0]), np.array([0.5])), "Shapes differ"),
        (lambda: HillCurves(np.array([1.0]), np.array([0.0]), np.array([1.0])), "half > 0"),
        (lambda: allocate_budget(PowerCurves(np.array([]), np.array([])), 1.0), "at least one campaign"),
        (lambda: allocate_budget(CURVES, np.nan), "total is nan"),
        (lambda: allocate_budget(CURVES, -1.0), "total is -1"),
        (lambda: allocate_budget(CURVES, 1.0, margin=0.0), "margin is 0"),
        (lambda: allocate_budget(CURVES, 1.0, Limits(minimum=[1.0, 2.0])), "minimum has shape"),
        (lambda: allocate_budget(CURVES, 1.0, Limits(maximum=[1.0, np.nan, 1, 1])), "maximum holds"),
        (lambda: allocate_budget(CURVES, 1.0, Limits(locked=True)), "current is not given"),
        (lambda: allocate_budget(CURVES, 1.0, Limits(channel_maximum=[3.0])), "channel is not given"),
        (lambda: allocate_budget(CURVES, 1.0, Limits(channel=[0.5, 0, 0, 0])), "number the channels"),
        (lambda: allocate_budget(CURVES, 1.0, Limits(current=1.0, max_change=-1.0)), "max_change is"),
        (lambda: CarryOverCurves(CURVES, 1.0, np.zeros(4), 5), "retention is"),
        (lambda: CarryOverCurves(CURVES, 0.5, np.zeros(3), 5), "carried has 3"),
    ],
)
def test_mistakes_are_named(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.slow
def test_it_agrees_with_a_convex_solver_on_hundreds_of_cases() -> None:
    worst = 0.0
    for seed in range(10_000, 10_400):
        problem = budgets.random_problem(seed)
        plan = allocate_budget(problem.curves, problem.total, problem.limits)
        optimum = budgets.convex_optimum(problem)
        worst = max(worst, abs(float(plan.revenue.sum()) - optimum) / optimum)
    assert worst < 1e-6
