"""The best split of a budget: water-filling on the marginal revenue, exact under all limits of a plan.

Written by hand, since no kept library solves it at this speed: the Karush–Kuhn–Tucker conditions of a separable concave problem
leave one unknown, the price of a unit of budget (λ); each campaign spends until its marginal revenue falls to it. Newton
steps on log λ find it, with channels as a second layer of prices (Boyd and Vandenberghe 2004, § 5.5.3; Patriksson 2008).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models_ml.optimization.curves import Floats, ResponseCurves
from models_ml.optimization.limits import (
    ROUNDING,
    Bound,
    Bounds,
    InfeasibleBudgetError,
    Limits,
    bounds_of,
    check_total,
    holding,
)

_STEPS = 200
_NOTHING = -700.0
"""Log of a price at which money brings nothing."""

_CHOICES, _WORK = 200, 1_000_000
"""Sets of paused campaigns that are tried at most, when a minimum viable spend makes some pause; with many campaigns fewer, so
that not many more than a million are looked at."""


@dataclass(frozen=True)
class Allocation:
    """A plan: ``spend``, ``revenue`` and marginal revenue (``marginal``) per campaign, in money per day.

    ``price``: λ, what one more unit of the total would bring; free campaigns of channels that are not at a limit have it
    as their marginal revenue. ``channel_price``: what one more unit of a channel's limit would bring on top (negative at
    a minimum, 0 within the limits); empty without channels. ``held``: what holds each campaign, as positions of
    :class:`Bound`. ``binding``: names of the limits that hold the plan. ``gap``: how much more revenue another choice of
    paused campaigns could bring at most; 0 says that this plan is proven best.
    """

    spend: Floats
    revenue: Floats
    marginal: Floats
    price: float
    channel_price: Floats
    held: NDArray[np.int8]
    binding: tuple[str, ...]
    gap: float

    def frame(self, campaigns: Sequence[str]) -> pl.DataFrame:
        """One row per campaign: spend, revenue, marginal revenue, and what holds it."""
        names = pl.Series("held_by", [str(bound) for bound in Bound]).gather(self.held.astype(np.int64))
        columns = {"spend": self.spend, "revenue": self.revenue, "marginal_revenue": self.marginal}
        return pl.DataFrame({"campaign": campaigns, **columns, "held_by": names})


@dataclass(frozen=True)
class _Solution:
    spend: Floats
    log_price: float
    channel_log_price: Floats


def allocate_budget(
    curves: ResponseCurves, total: float, limits: Limits | None = None, *, margin: float | None = None
) -> Allocation:
    """The split of ``total`` (money per day) with the largest revenue; all of it is spent.

    With ``margin`` (gross profit per unit of revenue, as a share) it is the split with the largest profit, margin·revenue −
    spend, and the total is a ceiling: spending stops where another unit no longer pays for itself.

    A minimum viable spend makes the problem a choice of campaigns to pause: branch and bound over it, whose remaining
    doubt is ``gap``. Raises InfeasibleBudgetError naming the limits that contradict each other, ValueError when a curve is
    not concave over the range that its limits allow, or there is no campaign.
    """
    if not len(curves):
        raise ValueError("There are no curves; give at least one campaign.")
    limits = limits or Limits()
    floor = -math.inf
    if margin is not None:
        if not 0 < margin <= 1:
            raise ValueError(f"margin is {margin}; give gross profit as a share of revenue, above 0 and up to 1.")
        floor = -math.log(margin)
    bounds = bounds_of(limits, len(curves))
    bent = (bounds.lower < curves.concave_from * (1 - ROUNDING)) & (bounds.lower < bounds.upper)
    if bent.any():
        at = int(np.flatnonzero(bent)[0])
        raise ValueError(
            f"The curve of campaign {at} is concave only from {curves.concave_from[at]:,.2f} on and may spend "
            f"{bounds.lower[at]:,.2f}; raise its minimum, or fit a power curve."
        )
    total = check_total(bounds, total, limits, is_ceiling=margin is not None)
    if (bounds.viable > bounds.lower).any():
        bounds, solution, gap = _choose(curves, bounds, total, floor)
    else:
        solution, gap = _solve(curves, bounds, total, floor), 0.0
    spent = float(solution.spend.sum())
    if abs(spent - total) > 1e-6 * total and (margin is None or spent > total):
        raise ArithmeticError(f"The split spends {spent} of {total}; the search for its price did not end.")
    return _told(curves, limits, bounds, solution, total=total, floor=floor, gap=gap)


def budget_frontier(
    curves: ResponseCurves, totals: Sequence[float], limits: Limits | None = None, *, margin: float | None = None
) -> pl.DataFrame:
    """The best plans for several totals: one row each, with spend, revenue, its marginal return and the binding limits.

    The answer to where more money should go: compare two of :func:`allocate_budget`'s plans campaign by campaign.
    """
    plans = [allocate_budget(curves, total, limits, margin=margin) for total in totals]
    return pl.DataFrame(
        {
            "total": [float(total) for total in totals],
            "spend": [float(plan.spend.sum()) for plan in plans],
            "revenue": [float(plan.revenue.sum()) for plan in plans],
            "marginal_revenue": [plan.price for plan in plans],
            "binding": pl.Series([list(plan.binding) for plan in plans], dtype=pl.List(pl.String)),
        }
    )


def _solve(curves: ResponseCurves, bounds: Bounds, total: float, floor: float) -> _Solution:
    """The optimum without minimum viable spends: prices of the total and of channels, then of channels at a limit."""
    if bounds.channel is None:
        spend, log_price = _fill(curves, bounds.lower, bounds.upper, total, floor=floor)
        return _Solution(spend, log_price, np.zeros(0))
    spend, log_price = _fill(curves, bounds.lower, bounds.upper, total, floor=floor, channels=bounds)
    channels = len(bounds.channel_lower)
    channel_log_price = np.full(channels, log_price)
    sums = np.bincount(bounds.channel, spend, channels)
    off = (sums < bounds.channel_lower) | (sums > bounds.channel_upper)
    for each in np.flatnonzero(off):
        members = np.flatnonzero(bounds.channel == each)
        least, most = bounds.channel_lower[each], bounds.channel_upper[each]
        own = float(least if sums[each] < least else most)
        part, channel_log_price[each] = _fill(
            curves.take(members), bounds.lower[members], bounds.upper[members], own, floor=-math.inf
        )
        spend[members] = part
    return _Solution(spend, log_price, channel_log_price)


def _fill(
    curves: ResponseCurves, lower: Floats, upper: Floats, total: float, *, floor: float, channels: Bounds | None = None
) -> tuple[Floats, float]:
    """Spend within bounds at the price at which it sums to ``total``; never below the ``floor`` of the (log) price.

    With ``channels`` the sum is that of channel sums clipped to their limits; spend itself is then not clipped to them.
    """
    least, most = (float(lower.sum()), float(upper.sum())) if channels is None else (channels.least, channels.most)
    slack = 1e-12 * total
    if total <= least + slack and (channels is None or total == 0):
        return lower.copy(), max(_edge_price(curves, lower, lower < upper, highest=True), floor)
    if total >= most - slack and channels is None and floor == -math.inf:
        return upper.copy(), _edge_price(curves, upper, lower < upper, highest=False)
    low, high = -math.inf, math.inf
    at = floor if math.isfinite(floor) else _first_guess(curves, lower, upper, total)
    for _ in range(_STEPS):
        wanted, slope = curves.demand(at)
        spend = np.clip(wanted, lower, upper)
        is_free = wanted == spend
        if channels is None or channels.channel is None:
            found = float(spend.sum())
        else:
            sums = np.bincount(channels.channel, spend, len(channels.channel_lower))
            clipped = np.clip(sums, channels.channel_lower, channels.channel_upper)
            found = float(clipped.sum())
            is_free &= (clipped == sums)[channels.channel]
        missing = total - found
        with np.errstate(invalid="ignore"):  # at a price near zero demands are infinite, and sums of them NaN
            slope *= is_free
            falls, free = float(slope.sum()), float((spend * is_free).sum())
        if abs(missing) <= slack or (at == floor and missing >= 0) or at < _NOTHING:
            break
        low, high = (low, at) if missing > 0 else (at, high)
        following = _newton(at, free, missing, falls)
        if not low < following < high:
            following = _between(low, high, at)
        if following == at:
            break
        at = following
    if at == floor:
        return spend, at
    if at < _NOTHING:
        return _spread(spend, upper, missing), -math.inf
    if falls < 0:
        # What rounding left over goes to the free campaigns, as a last, linear Newton step.
        spend = np.clip(spend + missing / falls * slope, lower, upper)
    return spend, at


def _spread(spend: Floats, upper: Floats, missing: float) -> Floats:
    """Put what must be spent, but brings nothing anywhere, where there is room."""
    room = upper - spend
    endless = np.isinf(room)
    weight = endless.astype(np.float64) if endless.any() else room
    return np.asarray(spend + missing * weight / weight.sum())


def _newton(at: float, free: float, missing: float, falls: float) -> float:
    """A Newton step on the logarithm of what the free campaigns spend: exact when their curves have one exponent."""
    if not (falls < 0 and free > 0 and free + missing > 0):
        return math.nan
    return at + math.log1p(missing / free) * free / falls


def _between(low: float, high: float, at: float) -> float:
    """Halfway in the bracket; while it is open, a stride beyond ``at`` that grows."""
    if math.isfinite(low) and math.isfinite(high):
        return (low + high) / 2
    stride = 2.0 + abs(at)
    return at - stride if math.isfinite(high) else at + stride


def _first_guess(curves: ResponseCurves, lower: Floats, upper: Floats, total: float) -> float:
    """The mean log marginal revenue when all spend alike."""
    spend = np.clip(np.full(len(lower), max(total, 1e-9) / len(lower)), lower, upper)
    with np.errstate(divide="ignore"):
        logs = np.log(curves.marginal(spend))
    known = np.isfinite(logs)
    return float(logs[known].mean()) if known.any() else 0.0


def _edge_price(curves: ResponseCurves, spend: Floats, is_open: NDArray[np.bool_], *, highest: bool) -> float:
    """The log price that keeps all campaigns at their bounds."""
    marginal = curves.marginal(spend)
    chosen = marginal[is_open] if is_open.any() else marginal
    with np.errstate(divide="ignore"):
        return float(np.log(chosen.max() if highest else chosen.min()))


def _choose(curves: ResponseCurves, bounds: Bounds, total: float, floor: float) -> tuple[Bounds, _Solution, float]:
    """Which campaigns reach their minimum viable spend and which pause: branch and bound, the likelier half first.

    A node is bounded by its optimum when campaigns may also spend less than is viable, and by the Lagrangian dual of the
    problem with pauses, at its own prices and at those of the best plan. Returned are the bounds and the solution of the best
    plan found, and how far the best bound that is left exceeds it.
    """
    price_floor = math.exp(floor)
    at_viable = curves.revenue(bounds.viable)

    def solved(lower: Floats, upper: Floats) -> _Node | None:
        try:
            tried = replace(bounds, lower=lower, upper=upper)
        except InfeasibleBudgetError:
            return None
        if tried.least > total * (1 + ROUNDING) or (floor == -math.inf and tried.most < total * (1 - ROUNDING)):
            return None
        solution = _solve(curves, tried, total, floor)
        value = float(curves.revenue(solution.spend).sum() - price_floor * solution.spend.sum())
        short = (solution.spend > 0) & (solution.spend < bounds.viable * (1 - ROUNDING))
        return _Node(tried, solution, value, np.flatnonzero(short))

    def branched(node: _Node, which: NDArray[np.intp], *, on: bool | NDArray[np.bool_]) -> _Node | None:
        lower, upper = node.bounds.lower.copy(), node.bounds.upper.copy()
        lower[which] = np.where(on, bounds.viable[which], 0.0)
        upper[which] = np.where(on, upper[which], 0.0)
        return solved(lower, upper)

    def pays(node: _Node) -> NDArray[np.bool_]:
        """Of the campaigns that spend too little, those that at their minimum bring more than the money costs."""
        price = math.exp(min(node.solution.log_price, -_NOTHING))
        return np.asarray(at_viable[node.short] >= price * bounds.viable[node.short])

    def bound_of(node: _Node) -> float:
        prices = [node.solution] if best is None else [node.solution, best.solution]
        return min([node.value, *(_dual(curves, node.bounds, each, total, price_floor) for each in prices)])

    def rounded(node: _Node) -> _Node | None:
        """Of the campaigns that spend too little, those that pay and for which there is money run, the best first."""
        viable = bounds.viable[node.short]
        order = np.argsort(-at_viable[node.short] / viable, kind="stable")
        room = total - float(np.delete(node.bounds.lower, node.short).sum())
        fits = np.empty(len(order), dtype=np.bool_)
        fits[order] = np.cumsum(viable[order]) <= room * (1 + ROUNDING)
        return branched(node, node.short, on=fits & pays(node)) or branched(node, node.short, on=fits)

    best: _Node | None = None
    root = solved(bounds.lower, np.where(bounds.viable > bounds.upper, 0.0, bounds.upper))
    guess = root
    while guess is not None and len(guess.short):
        guess = rounded(guess)
    best = guess
    waiting, tried = [root] if root else [], 0
    while waiting and tried < min(_CHOICES, _WORK / len(curves)):
        node = waiting.pop()
        if best is not None and bound_of(node) <= best.value + ROUNDING * abs(best.value):
            continue
        if not len(node.short):
            best = node
            continue
        spend, viable = node.solution.spend[node.short], bounds.viable[node.short]
        widest = int(np.argmax(np.minimum(spend, viable - spend)))
        first = bool(pays(node)[widest])
        halves = [branched(node, node.short[[widest]], on=on) for on in (not first, first)]
        waiting += [half for half in halves if half is not None]
        tried += 2
    if best is None:
        found = "was found" if waiting else "exists"
        message = f"No choice of campaigns to pause {found} that lets the others spend {total:,.2f}"
        raise InfeasibleBudgetError(message, ("total", "minimum_viable"))
    gap = max([bound_of(node) - best.value for node in waiting], default=0.0)
    return best.bounds, best.solution, gap if gap > ROUNDING * abs(best.value) else 0.0


def _dual(curves: ResponseCurves, bounds: Bounds, prices: _Solution, total: float, price_floor: float) -> float:
    """What no plan can exceed: all money and limits at the given prices, and every campaign's best answer to its own price."""
    log_price: float | Floats = prices.log_price
    price, limits = math.exp(min(prices.log_price, -_NOTHING)), 0.0
    own: float | Floats = price
    if bounds.channel is not None:
        channel_price = np.exp(np.minimum(prices.channel_log_price, -_NOTHING))
        extra = channel_price - price
        held = np.where(extra > 0, bounds.channel_upper, bounds.channel_lower)
        limits = float((extra * held).sum(where=extra != 0))
        log_price, own = prices.channel_log_price[bounds.channel], channel_price[bounds.channel]
    wanted, _ = curves.demand(log_price)
    spend = np.clip(wanted, np.maximum(bounds.lower, np.minimum(bounds.viable, bounds.upper)), bounds.upper)
    gain = curves.revenue(spend) - own * spend
    idle = curves.revenue(np.zeros(len(spend)))
    gain = np.where((bounds.lower == 0) & (bounds.viable > 0), np.maximum(gain, idle), gain)
    return (price - price_floor) * total + limits + float(gain.sum())


@dataclass(frozen=True)
class _Node:
    """A choice of pauses so far: its bounds, its optimum, and who in it spends less than is viable (``short``)."""

    bounds: Bounds
    solution: _Solution
    value: float
    short: NDArray[np.intp]


def _told(
    curves: ResponseCurves,
    limits: Limits,
    bounds: Bounds,
    solution: _Solution,
    *,
    total: float,
    floor: float,
    gap: float,
) -> Allocation:
    spend, price = solution.spend, math.exp(min(solution.log_price, 709.0))
    held = holding(limits, bounds, spend)
    binding = [] if solution.log_price <= floor else ["total"]
    if binding:
        binding += [name for name in ("cap", "pacing") if total >= getattr(limits, name) * (1 - ROUNDING)]
    counts = np.bincount(held, minlength=len(Bound))
    binding += [str(bound) for bound, count in zip(Bound, counts, strict=True) if count and bound is not Bound.FREE]
    channel_price = np.exp(np.minimum(solution.channel_log_price, 709.0)) - price
    for name, is_bound in (("channel_minimum", channel_price < 0), ("channel_maximum", channel_price > 0)):
        binding += [f"{name}[{each}]" for each in np.flatnonzero(is_bound)]
    revenue, marginal = curves.revenue(spend), curves.marginal(spend)
    return Allocation(spend, revenue, marginal, price, channel_price, held, tuple(binding), gap)
