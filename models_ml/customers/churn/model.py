"""Churn models whose log-odds are a sum over features, so that a customer's reasons are the parts of the score itself.

The candidate is gradient boosting without interactions: trees of one feature each add up to one step function per
feature (Lou, Caruana and Gehrke 2012, "Intelligible Models"). It is trained by scikit-learn and kept as tables of these
steps, which are exact, quick to look up, and plain arrays to store: trees in a file are indices that nobody can check.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl
from scipy.special import expit
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from models_ml.customers.churn.snapshots import FEATURES
from models_ml.customers.frames import Floats, Integers, check_frame
from models_ml.reasons import NotComputable, Reason

BOOSTING: Mapping[str, Any] = MappingProxyType(
    {
        "learning_rate": 0.06,
        "max_iter": 120,
        "max_leaf_nodes": 6,
        "min_samples_leaf": 40,
        "l2_regularization": 1.0,
        "interaction_cst": "no_interactions",
        "early_stopping": False,
    }
)
"""The candidate's parameters, as scikit-learn calls them."""

_BINS = 64
_FOLDS = 5
_LEAST_PER_CLASS = 50
_REASONS = 3
_ROWS_AT_ONCE = 200_000


class ChurnMethod(StrEnum):
    """How the model is trained: the baseline and the candidate."""

    LOGISTIC = "logistic"
    BOOSTING = "boosting"


@dataclass(frozen=True, eq=False)
class LinearParts:
    """Logistic regression on standardized logarithms ln(1 + value); a missing value (NaN) adds nothing."""

    mean: Floats
    scale: Floats
    coefficients: Floats

    def contributions(self, values: Floats) -> Floats:
        """What each feature adds to the log-odds, shape (customers, features); 0 on average over the training."""
        standard = (np.log1p(values) - self.mean) / self.scale
        return np.asarray(np.nan_to_num(standard) * self.coefficients)


@dataclass(frozen=True, eq=False)
class SteppedParts:
    """One step function per feature: ``cut_points`` of each, ``steps`` (features, bins); bin 0 is of missing values."""

    cut_points: tuple[Floats, ...]
    steps: Floats

    def bins(self, values: Floats) -> Integers:
        """The bin of each value, shape (customers, features)."""
        return _bins(self.cut_points, values)

    def contributions(self, values: Floats) -> Floats:
        """What each feature adds to the log-odds, shape (customers, features); 0 on average over the training."""
        return np.asarray(self.steps[np.arange(len(self.steps)), self.bins(values)])


@dataclass(frozen=True, eq=False)
class ChurnModel:
    """A trained and calibrated model. ``importances`` are the mean sizes of the features' parts in training."""

    method: str
    features: tuple[str, ...]
    parts: LinearParts | SteppedParts
    intercept: float
    importances: tuple[float, ...]
    training_rows: int

    def probability(self, customers: pl.DataFrame) -> Floats:
        """Probability of churn of each customer; ``customers`` has the features of :func:`churn_features`."""
        return np.asarray(expit(self.intercept + self.parts.contributions(_matrix(customers)).sum(axis=1)))

    def score(self, customers: pl.DataFrame) -> pl.DataFrame:
        """Scores with reasons, one row per customer.

        Returns customer_id, probability, score (the probability from 0 to 100, whole), and three reasons, the strongest
        first: reason_1 … the feature, effect_1 … what its value adds to the log-odds beside an average customer's
        (above 0 speaks for churn). Raises ValueError for customers given twice or features that are absent or infinite.
        """
        check_frame(customers, "customers", key=("customer_id",))
        scored = [self._scored(part) for part in customers.iter_slices(_ROWS_AT_ONCE)]
        return pl.concat(scored) if scored else self._scored(customers)

    def _scored(self, customers: pl.DataFrame) -> pl.DataFrame:
        parts = self.parts.contributions(_matrix(customers))
        probability = expit(self.intercept + parts.sum(axis=1))
        columns: dict[str, pl.Series] = {
            "probability": pl.Series(probability),
            "score": pl.Series(np.rint(100 * probability).astype(np.int8)),
        }
        names, size, row = pl.Series(self.features), np.abs(parts), np.arange(len(parts))
        for place in range(1, _REASONS + 1):
            strongest = size.argmax(axis=1)
            columns[f"reason_{place}"] = names.gather(strongest)
            columns[f"effect_{place}"] = pl.Series(parts[row, strongest])
            size[row, strongest] = -1
        return customers.select("customer_id").with_columns(**columns)


CHURN_TYPES = (ChurnModel, LinearParts, SteppedParts)
"""What a stored churn model consists of, to be declared as trusted."""


def train_churn(snapshots: pl.DataFrame, method: ChurnMethod, *, seed: int) -> ChurnModel | NotComputable:
    """Train on stacked snapshots (:func:`churn_snapshots`) and calibrate.

    Calibration is Platt's: a logistic regression of the label on log-odds that were predicted for customers by models
    trained on others (five folds); it scales all parts alike, so they stay a sum. NotComputable with fewer than 50 rows
    that churned or fewer than 50 that stayed.
    """
    check_frame(snapshots, "snapshots", key=("customer_id", "cutoff"), numbers=("churned",))
    x, y = _matrix(snapshots), snapshots["churned"].cast(pl.Float64).to_numpy()
    churned = int(y.sum())
    if min(churned, len(y) - churned) < _LEAST_PER_CLASS:
        reason = Reason.ONE_CLASS_ONLY if churned in (0, len(y)) else Reason.TOO_FEW_CUSTOMERS
        return NotComputable(reason, f"{churned} of {len(y)} rows churned; {_LEAST_PER_CLASS} of each kind are needed.")
    fit = _FITS[method]
    groups = snapshots["customer_id"].rank("dense").to_numpy()
    predicted = np.empty(len(y))
    for train, rest in StratifiedGroupKFold(_FOLDS).split(x, y, groups):
        parts, intercept = fit(x[train], y[train], seed)
        predicted[rest] = intercept + parts.contributions(x[rest]).sum(axis=1)
    parts, intercept = fit(x, y, seed)
    platt = LogisticRegression(C=np.inf).fit(predicted[:, None], y)
    slope = float(platt.coef_[0, 0])
    scaled = _scaled(parts, slope)
    return ChurnModel(
        method=method.value,
        features=FEATURES,
        parts=scaled,
        intercept=float(platt.intercept_[0]) + slope * intercept,
        importances=tuple(np.abs(scaled.contributions(x)).mean(axis=0).tolist()),
        training_rows=len(y),
    )


def _fit_logistic(x: Floats, y: Floats, _seed: int) -> tuple[LinearParts, float]:
    logarithms = np.log1p(x)
    known = np.maximum((~np.isnan(logarithms)).sum(axis=0), 1)
    mean = np.nansum(logarithms, axis=0) / known
    deviation = np.sqrt(np.nansum((logarithms - mean) ** 2, axis=0) / known)
    varies = np.fmax.reduce(logarithms) > np.fmin.reduce(logarithms)
    scale = np.where(varies, deviation, 1.0)
    standard = np.nan_to_num((logarithms - mean) / scale)
    fitted = LogisticRegression(C=1.0, max_iter=1000).fit(standard, y)
    return LinearParts(mean, scale, fitted.coef_[0]), float(fitted.intercept_[0])


def _fit_boosting(x: Floats, y: Floats, seed: int) -> tuple[SteppedParts, float]:
    quantiles = np.linspace(0, 1, _BINS)[1:-1]
    columns = (column[~np.isnan(column)] for column in x.T)
    cuts = tuple(np.unique(np.quantile(column, quantiles)) if len(column) else np.empty(0) for column in columns)
    bins = _bins(cuts, x)
    trees = HistGradientBoostingClassifier(**BOOSTING, random_state=seed).fit(bins, y)
    # One feature through all its bins while the others stay at bin 0 shows its step function.
    features = x.shape[1]
    probes = np.zeros((features, _BINS, features))
    probes[np.arange(features), :, np.arange(features)] = np.arange(_BINS)
    shown = trees.decision_function(probes.reshape(-1, features)).reshape(features, _BINS)
    base = float(shown[0, 0])
    steps = shown - base
    mean = steps[np.arange(features), bins].mean(axis=0)
    return SteppedParts(cuts, steps - mean[:, None]), base + float(mean.sum())


_FITS: Mapping[ChurnMethod, Callable[[Floats, Floats, int], tuple[LinearParts | SteppedParts, float]]] = {
    ChurnMethod.LOGISTIC: _fit_logistic,
    ChurnMethod.BOOSTING: _fit_boosting,
}


def _scaled(parts: LinearParts | SteppedParts, slope: float) -> LinearParts | SteppedParts:
    if isinstance(parts, LinearParts):
        return LinearParts(parts.mean, parts.scale, slope * parts.coefficients)
    return SteppedParts(parts.cut_points, slope * parts.steps)


def _bins(cut_points: tuple[Floats, ...], values: Floats) -> Integers:
    found = np.empty(values.shape, dtype=np.int64)
    for feature, cuts in enumerate(cut_points):
        column = values[:, feature]
        found[:, feature] = np.where(np.isnan(column), 0, 1 + np.searchsorted(cuts, column, side="left"))
    return found


def _matrix(customers: pl.DataFrame) -> Floats:
    check_frame(customers, "customers", columns=FEATURES)
    values = np.column_stack([customers[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in FEATURES])
    if np.isinf(values).any() or (values < 0).any():
        names = [FEATURES[place] for place in np.flatnonzero((np.isinf(values) | (values < 0)).any(axis=0))]
        raise ValueError(f"customers has infinite or negative values in {', '.join(names)}; repair them.")
    return values
