"""Whom a treatment moves: S-, T- and X-learners of its effect on each user, over any scikit-learn estimators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor

from models_ml.reasons import NotComputable, Reason

Floats: TypeAlias = NDArray[np.float64]
Learner: TypeAlias = Literal["s", "t", "x"]

LEAST_PER_ARM = 100
"""Users without whom an arm can't teach a model."""


@dataclass(frozen=True)
class UpliftModel:
    """A fitted learner. ``estimators`` are scikit-learn's: S has one; T control's and treatment's; X those and the two effects'.

    ``treatment_share`` is the chance of a user of the experiment to be treated.
    """

    learner: Learner
    estimators: tuple[Any, ...]
    treatment_share: float

    def predict(self, features: ArrayLike) -> Floats:
        """Expected outcome with the treatment less that without, one per row of ``features`` (users × features)."""
        rows = _matrix(features)
        if self.learner == "s":
            (both,) = self.estimators
            return _expected(both, _with_arm(rows, 1.0)) - _expected(both, _with_arm(rows, 0.0))
        if self.learner == "t":
            control, treatment = self.estimators
            return _expected(treatment, rows) - _expected(control, rows)
        on_control, on_treated = (_expected(each, rows) for each in self.estimators[2:])
        return self.treatment_share * on_control + (1 - self.treatment_share) * on_treated


UPLIFT_TYPES = (UpliftModel, TreePredictor)
"""What a stored model consists of beyond what skops trusts by itself, to be declared as trusted.

The trees of gradient boosting are tables of indices that nobody can check, so only a matching hash makes them safe to load.
"""


def fit_uplift(
    learner: Learner,
    features: ArrayLike,
    treated: ArrayLike,
    outcome: ArrayLike,
    *,
    outcome_model: Any = None,
    effect_model: Any = None,
    seed: int = 0,
) -> UpliftModel | NotComputable:
    """Fit a meta-learner (Künzel, Sekhon, Bickel and Yu 2019) on a randomized experiment.

    ``features`` (users × features, known before assignment), ``treated`` and ``outcome`` one per user. ``s``: one model with
    the arm as a feature; ``t``: one model per arm; ``x``: the effects that the other arm's model imputes, modeled per arm
    and weighted by the treatment share. Models are clones of ``outcome_model`` and ``effect_model`` (a regressor, for X); by
    default gradient boosting: a classifier when outcomes are only 0 and 1 (conversions), else a regressor (revenue).

    Reasons: no_data, no_control, too_few_customers (fewer than 100 in an arm), one_class_only, no_variation.
    Raises ValueError when lengths differ or a number is missing.
    """
    rows, arm, values = _matrix(features), _binary(treated), np.asarray(outcome, dtype=np.float64)
    if not len(rows) == len(arm) == len(values) or not np.isfinite(values).all():
        raise ValueError(
            f"{len(rows)} rows, {len(arm)} arms, {len(values)} outcomes; give a finite one for every user."
        )
    reason = _why_not(arm, values)
    if reason:
        return reason
    if learner not in ("s", "t", "x"):
        raise ValueError(f"learner is {learner!r}; give 's', 't' or 'x'.")
    fit = _fitter(outcome_model if outcome_model is not None else _default_model(values, seed))
    share = float(arm.mean())
    if learner == "s":
        return UpliftModel("s", (fit(_with_arm(rows, arm.astype(np.float64)), values),), share)
    control, treatment = fit(rows[~arm], values[~arm]), fit(rows[arm], values[arm])
    if learner == "t":
        return UpliftModel("t", (control, treatment), share)
    fit_effect = _fitter(effect_model if effect_model is not None else _default_regressor(seed))
    on_control = fit_effect(rows[~arm], _expected(treatment, rows[~arm]) - values[~arm])
    on_treated = fit_effect(rows[arm], values[arm] - _expected(control, rows[arm]))
    return UpliftModel("x", (control, treatment, on_control, on_treated), share)


def uplift_importances(model: UpliftModel, features: ArrayLike, *, seed: int) -> Floats:
    """How much the predicted effect hangs on each feature: its mean change when the feature is dealt anew among the users.

    One number per feature, in units of the outcome (Breiman 2001, "Random forests", 10, with the prediction in the place of its error,
    for no user's true effect is known). ``features``: users × features, such as those of the training.
    Raises ValueError without users.
    """
    rows = _matrix(features)
    if not len(rows):
        raise ValueError("There are no users; give some whose features can be dealt anew.")
    rng, usual = np.random.default_rng(seed), model.predict(rows)
    changes = []
    for feature in range(rows.shape[1]):
        dealt = rows.copy()
        dealt[:, feature] = rng.permutation(rows[:, feature])
        changes.append(float(np.abs(model.predict(dealt) - usual).mean()))
    return np.array(changes)


def _default_model(outcome: Floats, seed: int) -> Any:
    """Shallow and slow learners: effects are small beside what else moves an outcome."""
    if set(np.unique(outcome)) <= {0.0, 1.0}:
        return HistGradientBoostingClassifier(
            max_iter=60, learning_rate=0.05, max_leaf_nodes=8, min_samples_leaf=50, random_state=seed
        )
    return _default_regressor(seed)


def _default_regressor(seed: int) -> Any:
    return HistGradientBoostingRegressor(
        max_iter=60, learning_rate=0.05, max_leaf_nodes=8, min_samples_leaf=50, random_state=seed
    )


def _fitter(model: Any) -> Callable[[Floats, Floats], Any]:
    return lambda rows, values: clone(model).fit(rows, values)


def _expected(model: Any, rows: Floats) -> Floats:
    if hasattr(model, "predict_proba"):
        return np.asarray(model.predict_proba(rows)[:, 1], dtype=np.float64)
    return np.asarray(model.predict(rows), dtype=np.float64)


def _with_arm(rows: Floats, arm: Floats | float) -> Floats:
    return np.column_stack([rows, np.broadcast_to(arm, len(rows))])


def _why_not(arm: NDArray[np.bool_], outcome: Floats) -> NotComputable | None:
    if not len(arm):
        return NotComputable(Reason.NO_DATA, "There are no users.")
    if arm.all():
        return NotComputable(Reason.NO_CONTROL, "All users were treated.")
    fewest = min(int(arm.sum()), int((~arm).sum()))
    if fewest < LEAST_PER_ARM:
        return NotComputable(Reason.TOO_FEW_CUSTOMERS, f"An arm has {fewest} users; {LEAST_PER_ARM} are needed.")
    for name, values in (("treatment", outcome[arm]), ("control", outcome[~arm])):
        if (values == values[0]).all():
            reason = Reason.ONE_CLASS_ONLY if values[0] in (0.0, 1.0) else Reason.NO_VARIATION
            return NotComputable(reason, f"All users of the {name} have the outcome {values[0]:g}.")
    return None


def _matrix(features: ArrayLike) -> Floats:
    rows = np.asarray(features, dtype=np.float64)
    if rows.ndim != 2:
        raise ValueError(f"features have shape {rows.shape}; give users × features.")
    return rows


def _binary(treated: ArrayLike) -> NDArray[np.bool_]:
    arm = np.asarray(treated)
    if arm.ndim != 1 or not np.isin(arm, (0, 1)).all():
        raise ValueError("treated holds something else than 0 and 1 (or False and True); give one per user.")
    return arm.astype(np.bool_)
