"""Uplift models tried out of time: trained on users whose outcome was known, judged on those assigned after that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from models_ml.experiments.evaluation import evaluate_uplift
from models_ml.experiments.uplift import Learner, UpliftModel, fit_uplift, uplift_importances
from models_ml.reasons import NotComputable, Reason
from models_ml.registry import Metric

TEST_DAYS = 30


@dataclass(frozen=True)
class UpliftBacktest:
    """A model of the ``training`` users' effects and how it did on users assigned from ``tested_from`` to ``tested_until``.

    ``training`` has their features alone; ``cases`` is the number of users tested.
    """

    model: UpliftModel
    training: pl.DataFrame
    trained_from: datetime
    trained_until: datetime
    tested_from: datetime
    tested_until: datetime
    cases: int
    metrics: Mapping[str, Metric]
    importances: Mapping[str, float]


def backtest_uplift(
    users: pl.DataFrame,
    features: Sequence[str],
    *,
    observed_until: datetime,
    outcome_days: int,
    seed: int,
    learner: Learner = "x",
) -> UpliftBacktest | NotComputable:
    """Train on the earlier users of randomized experiments and test on those of the last 30 days with a known outcome.

    ``users`` has one row per user of an experiment: ``assigned_at``, ``is_treated`` and ``is_converted`` (of the
    ``outcome_days`` after it), and numeric ``features`` known at assignment (null where unknown); complete up to
    ``observed_until``. No outcome that was learned from falls into the time of the test. Reasons: those of
    :func:`fit_uplift` and :func:`evaluate_uplift`, and too_short_history. Raises ValueError for absent columns.
    """
    absent = {"assigned_at", "is_treated", "is_converted", *features} - set(users.columns)
    if absent:
        raise ValueError(f"users lacks {', '.join(sorted(absent))}; give one column of each.")
    if users.is_empty():
        return NotComputable(Reason.NO_HOLDOUT, "No user is in an experiment.")
    outcome, at = timedelta(days=outcome_days), pl.col("assigned_at")
    tested_until = observed_until - outcome
    tested_from = tested_until - timedelta(days=TEST_DAYS)
    training = users.filter(at < tested_from - outcome)
    test = users.filter(at >= tested_from, at < tested_until)
    if training.is_empty() or test.is_empty():
        return NotComputable(
            Reason.TOO_SHORT_HISTORY,
            f"{len(users)} users of experiments leave {len(training)} to train before {tested_from - outcome} and "
            f"{len(test)} to test until {tested_until}.",
        )
    known = _matrix(training, features)
    model = fit_uplift(learner, known, training["is_treated"], training["is_converted"], seed=seed)
    if isinstance(model, NotComputable):
        return model
    metrics = evaluate_uplift(model.predict(_matrix(test, features)), test["is_treated"], test["is_converted"])
    if isinstance(metrics, NotComputable):
        return metrics
    importances = uplift_importances(model, known, seed=seed)
    begin, end = training["assigned_at"].min(), training["assigned_at"].max()
    assert isinstance(begin, datetime) and isinstance(end, datetime)
    return UpliftBacktest(
        model=model,
        training=training.select(pl.col(features).cast(pl.Float64)),
        trained_from=begin,
        trained_until=end,
        tested_from=tested_from,
        tested_until=tested_until,
        cases=len(test),
        metrics=metrics,
        importances=dict(zip(features, importances.tolist(), strict=True)),
    )


def _matrix(users: pl.DataFrame, features: Sequence[str]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.column_stack([users[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in features])
