"""Churn models tried out of time: trained on what came before, judged on what came after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from models_ml.customers.churn.model import ChurnMethod, ChurnModel, train_churn
from models_ml.customers.churn.profit import Action, RetentionOffer, act
from models_ml.customers.churn.snapshots import ChurnCutoffs, ChurnWindows, churn_cutoffs, churn_snapshots
from models_ml.customers.evaluation import auc_difference, evaluate
from models_ml.customers.frames import Floats, check_orders
from models_ml.reasons import NotComputable, Reason
from models_ml.registry import Metric


@dataclass(frozen=True)
class Trial:
    """A model and how it did on the test snapshot."""

    model: ChurnModel
    metrics: Mapping[str, Metric]
    action: Action


@dataclass(frozen=True)
class ChurnBacktest:
    """Baseline and candidate on the same snapshots; ``gain`` is the candidate's AUC less the baseline's.

    ``cases`` is the number of customers tested.
    """

    cutoffs: ChurnCutoffs
    training: pl.DataFrame
    cases: int
    baseline: Trial
    candidate: Trial
    gain: Metric

    @property
    def best(self) -> Trial:
        """The candidate, unless it is worse than the baseline."""
        return self.candidate if self.gain.value >= 0 else self.baseline


def backtest_churn(
    orders: pl.DataFrame,
    *,
    observed_until: datetime,
    offer: RetentionOffer,
    margin: float,
    seed: int,
    months: int = 6,
    windows: ChurnWindows | None = None,
) -> ChurnBacktest | NotComputable:
    """Train baseline and candidate on monthly snapshots and test both on the last label window that has been observed.

    ``orders`` has one row per completed order: customer_id, ordered_at, amount; complete up to ``observed_until``. The
    value at stake of a customer is ``margin`` × spend of the last 90 days. NotComputable when there is no cut-off to
    train at, or too few who churned or stayed.
    """
    check_orders(orders, observed_until)
    if orders.is_empty():
        return NotComputable(Reason.NO_DATA, "There is no order.")
    observed_from: datetime = orders.select(pl.col("ordered_at").min()).item()
    cutoffs = churn_cutoffs(observed_from, observed_until, months=months, windows=windows)
    if not cutoffs.train:
        return NotComputable(
            Reason.TOO_SHORT_HISTORY,
            f"Orders since {observed_from} leave no cut-off to train at before {cutoffs.test}.",
        )
    training = churn_snapshots(orders, cutoffs.train, windows)
    test = churn_snapshots(orders, (cutoffs.test,), windows)
    happened, stake = test["churned"].to_numpy(), margin * test["spend_90d"].to_numpy()
    trials: list[Trial] = []
    predicted: list[Floats] = []
    for method in (ChurnMethod.LOGISTIC, ChurnMethod.BOOSTING):
        model = train_churn(training, method, seed=seed)
        if isinstance(model, NotComputable):
            return model
        probability = model.probability(test)
        metrics = evaluate(happened, probability)
        if isinstance(metrics, NotComputable):
            return metrics
        trials.append(Trial(model, metrics, act(happened, probability, stake, offer)))
        predicted.append(probability)
    baseline, candidate = trials
    gain = auc_difference(happened, predicted[1], predicted[0])
    if isinstance(gain, NotComputable):
        return gain
    return ChurnBacktest(cutoffs, training, len(test), baseline, candidate, gain)
