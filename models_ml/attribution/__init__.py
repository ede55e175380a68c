"""Who gets the credit for conversions and revenue: paths from touches, eight models on them, intervals, restatements.

``attribute(collect_paths(touches, conversions)).to_frame()`` goes all the way.
"""

from models_ml.attribution.chain import OrderChoice, RemovalEffects, choose_order, markov, removal_effects
from models_ml.attribution.collection import collect_paths
from models_ml.attribution.credit import Credit, Model, join_spend
from models_ml.attribution.games import shapley, shapley_simplified
from models_ml.attribution.intervals import CreditIntervals, bootstrap
from models_ml.attribution.paths import Paths
from models_ml.attribution.restatements import Cause, restatement
from models_ml.attribution.rule_based import first_touch, last_touch, linear, position, time_decay
from models_ml.attribution.rules import DEFAULT_RULES, PathRules, Repeats
from models_ml.attribution.run import Attribution, attribute
from models_ml.attribution.windows import credit_windows

__all__ = [
    "DEFAULT_RULES",
    "Attribution",
    "Cause",
    "Credit",
    "CreditIntervals",
    "Model",
    "OrderChoice",
    "PathRules",
    "Paths",
    "RemovalEffects",
    "Repeats",
    "attribute",
    "bootstrap",
    "choose_order",
    "collect_paths",
    "credit_windows",
    "first_touch",
    "join_spend",
    "last_touch",
    "linear",
    "markov",
    "position",
    "removal_effects",
    "restatement",
    "shapley",
    "shapley_simplified",
    "time_decay",
]
