"""Optimization: response curves, budgets, bids, creative shares and pacing.

Curves are fitted (``fit_power_curves``), a total is split under limits (``allocate_budget`` → ``Allocation``)::

    plan = allocate_budget(fitted.curves, 10_000, Limits(current=spend, max_change=0.3))
"""

from models_ml.optimization.bandit import thompson_shares
from models_ml.optimization.bids import (
    BidLimit,
    Bids,
    SmoothedRates,
    context_multipliers,
    recommend_bids,
    smooth_rates,
)
from models_ml.optimization.budget import Allocation, allocate_budget, budget_frontier
from models_ml.optimization.curves import CarryOverCurves, HillCurves, PowerCurves, ResponseCurves, adstock
from models_ml.optimization.fitting import FittedCurves, choose_retention, fit_power_curves
from models_ml.optimization.limits import Bound, InfeasibleBudgetError, Limits
from models_ml.optimization.pacing import Pace, Pacing, pace_budget
from models_ml.optimization.saturation import fit_hill_curves

__all__ = [
    "Allocation",
    "BidLimit",
    "Bids",
    "Bound",
    "CarryOverCurves",
    "FittedCurves",
    "HillCurves",
    "InfeasibleBudgetError",
    "Limits",
    "Pace",
    "Pacing",
    "PowerCurves",
    "ResponseCurves",
    "SmoothedRates",
    "adstock",
    "allocate_budget",
    "budget_frontier",
    "choose_retention",
    "context_multipliers",
    "fit_hill_curves",
    "fit_power_curves",
    "pace_budget",
    "recommend_bids",
    "smooth_rates",
    "thompson_shares",
]
