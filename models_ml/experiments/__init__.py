"""Experiments: planning, assignment, comparison, incrementality and uplift.

An arm is summed up (``Conversions``, ``Moments``, ``PairMoments``), two arms are compared (``compare_…`` → ``Comparison`` of two
``Estimate``s), and what can't be known is a ``NotComputable``::

    compare_conversions(Conversions(10_000, 620), Conversions(10_000, 550)).difference.low
"""

from models_ml.experiments.assignment import (
    AllocationCheck,
    bucket,
    check_balance,
    check_sample_ratio,
    is_held_out,
)
from models_ml.experiments.backtest import UpliftBacktest, backtest_uplift
from models_ml.experiments.bayesian import WinProbability, win_probability
from models_ml.experiments.evaluation import evaluate_uplift
from models_ml.experiments.holdouts import measure_holdouts
from models_ml.experiments.incrementality import Incrementality, measure_incremental_revenue, measure_incrementality
from models_ml.experiments.inference import Comparison, Estimate
from models_ml.experiments.means import compare_means, compare_ratios, compare_strata, compare_with_cuped
from models_ml.experiments.planning import (
    SampleSize,
    detectable_lift,
    power_for_conversions,
    size_for_conversions,
    size_for_means,
)
from models_ml.experiments.proportions import compare_conversions, log_delta_lift, newcombe_difference, z_test
from models_ml.experiments.samples import Conversions, Moments, PairMoments, shared_cap
from models_ml.experiments.targeting import TargetingCurve, TargetingGate, judge_targeting, targeting_curve
from models_ml.experiments.uplift import UPLIFT_TYPES, UpliftModel, fit_uplift, uplift_importances
from models_ml.experiments.variants import Winner, compare_variants, pick_winner

__all__ = [
    "UPLIFT_TYPES",
    "AllocationCheck",
    "Comparison",
    "Conversions",
    "Estimate",
    "Incrementality",
    "Moments",
    "PairMoments",
    "SampleSize",
    "TargetingCurve",
    "TargetingGate",
    "UpliftBacktest",
    "UpliftModel",
    "WinProbability",
    "Winner",
    "backtest_uplift",
    "bucket",
    "check_balance",
    "check_sample_ratio",
    "compare_conversions",
    "compare_means",
    "compare_ratios",
    "compare_strata",
    "compare_variants",
    "compare_with_cuped",
    "detectable_lift",
    "evaluate_uplift",
    "fit_uplift",
    "is_held_out",
    "judge_targeting",
    "log_delta_lift",
    "measure_holdouts",
    "measure_incremental_revenue",
    "measure_incrementality",
    "newcombe_difference",
    "pick_winner",
    "power_for_conversions",
    "shared_cap",
    "size_for_conversions",
    "size_for_means",
    "targeting_curve",
    "uplift_importances",
    "win_probability",
    "z_test",
]
