"""Churn: leakage-safe snapshots, models with reasons, what acting is worth, and trials out of time (spec 04-models)."""

from models_ml.customers.churn.backtest import ChurnBacktest, Trial, backtest_churn
from models_ml.customers.churn.model import BOOSTING, CHURN_TYPES, ChurnMethod, ChurnModel, train_churn
from models_ml.customers.churn.profit import Action, RetentionOffer, act
from models_ml.customers.churn.snapshots import (
    FEATURES,
    ChurnCutoffs,
    ChurnWindows,
    churn_cutoffs,
    churn_features,
    churn_labels,
    churn_snapshots,
)

__all__ = [
    "BOOSTING",
    "CHURN_TYPES",
    "FEATURES",
    "Action",
    "ChurnBacktest",
    "ChurnCutoffs",
    "ChurnMethod",
    "ChurnModel",
    "ChurnWindows",
    "RetentionOffer",
    "Trial",
    "act",
    "backtest_churn",
    "churn_cutoffs",
    "churn_features",
    "churn_labels",
    "churn_snapshots",
    "train_churn",
]
