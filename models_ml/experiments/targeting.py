"""Is a score worth targeting by? Qini and uplift curves of conversions or revenue, bootstrapped, and the gate to use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models_ml.reasons import NotComputable, Reason

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A value with its percentile-bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class TargetingCurve:
    """What targeting the best-scored first gains, per user of the whole population.

    ``share``: the share of users targeted, 0 to 1. ``qini``: incremental outcome among the targeted treated users, per
    treated user: Y_T − Y_C·N_T/N_C, over all N_T (Radcliffe 2007). ``uplift``: share × (mean treated − mean
    control) among the targeted (Gutierrez and Gérardy 2017). Users of one score enter together.
    """

    share: Floats
    qini: Floats
    uplift: Floats

    @property
    def qini_area(self) -> float:
        """Area between the Qini curve and the straight line of random targeting (Qini coefficient, unnormalized)."""
        return _area(self.share, self.qini) - float(self.qini[-1]) / 2

    @property
    def auuc(self) -> float:
        """Area under the uplift curve."""
        return _area(self.share, self.uplift)


@dataclass(frozen=True)
class TargetingGate:
    """A score's Qini area, and what it is above that of a response model; it ``ships`` when both lower bounds are above 0."""

    qini: Interval
    auuc: Interval
    above_response: Interval

    @property
    def ships(self) -> bool:
        """Whether it beats random targeting and the response model for sure."""
        return self.qini.low > 0 and self.above_response.low > 0


def targeting_curve(score: ArrayLike, treated: ArrayLike, outcome: ArrayLike) -> TargetingCurve | NotComputable:
    """The Qini and uplift curves of a ``score`` (higher is targeted first) on a randomized experiment it was not trained on.

    One number per user; ``outcome`` is a conversion (0/1) or revenue. Reasons: no_data, no_control.
    Raises ValueError when lengths differ or numbers are missing.
    """
    data = _experiment(score, treated, outcome)
    if isinstance(data, NotComputable):
        return data
    return _curve(_Ranking(data[0]), data[1], data[2], np.ones(len(data[0])))


def judge_targeting(
    score: ArrayLike,
    response_score: ArrayLike,
    treated: ArrayLike,
    outcome: ArrayLike,
    *,
    seed: int,
    draws: int = 500,
    confidence: float = 0.95,
) -> TargetingGate | NotComputable:
    """Hold a score of uplift against random targeting and against ``response_score``, a plain prediction of the outcome.

    Both are judged on the same bootstrap samples of users, drawn within arms, so their difference is paired. Reasons and
    errors as for :func:`targeting_curve`.
    """
    if not (draws > 0 and 0 < confidence < 1):
        raise ValueError(f"draws is {draws}, confidence {confidence}; give a positive number, and one between 0 and 1.")
    data, other = _experiment(score, treated, outcome), _experiment(response_score, treated, outcome)
    if isinstance(data, NotComputable):
        return data
    if isinstance(other, NotComputable):
        return other
    _, arm, values = data
    rankings = _Ranking(data[0]), _Ranking(other[0])
    found = np.empty((1 + draws, 3))
    weights = chain([np.ones(len(arm))], _resampled(arm, draws, np.random.default_rng(seed)))
    for number, weight in enumerate(weights):
        model, response = (_curve(ranking, arm, values, weight) for ranking in rankings)
        found[number] = model.qini_area, model.auuc, model.qini_area - response.qini_area
    tail = (1 - confidence) / 2
    low, high = np.quantile(found[1:], (tail, 1 - tail), axis=0)
    intervals = [Interval(*map(float, each)) for each in zip(found[0], low, high, strict=True)]
    return TargetingGate(*intervals)


class _Ranking:
    """Users in the order of their score, and where each group of equal scores ends."""

    def __init__(self, score: Floats) -> None:
        self.order = np.argsort(-score, kind="stable")
        ranked = score[self.order]
        self.ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))


def _curve(ranking: _Ranking, arm: NDArray[np.bool_], outcome: Floats, weight: Floats) -> TargetingCurve:
    ranked = weight[ranking.order]
    is_treated = arm[ranking.order]
    treated, control = ranked * is_treated, ranked * ~is_treated
    values = outcome[ranking.order]
    n_treated, n_control, y_treated, y_control = (
        np.concatenate([[0.0], np.cumsum(each)[ranking.ends]])
        for each in (treated, control, treated * values, control * values)
    )
    users = n_treated + n_control
    # Before any control user is among the targeted there is nothing to compare with: the control's outcome counts as 0.
    mean_control = np.divide(y_control, n_control, out=np.zeros_like(users), where=n_control > 0)
    mean_treated = np.divide(y_treated, n_treated, out=np.zeros_like(users), where=n_treated > 0)
    share = users / users[-1]
    qini = (y_treated - mean_control * n_treated) / n_treated[-1]
    return TargetingCurve(share, qini, share * (mean_treated - mean_control))


def _resampled(arm: NDArray[np.bool_], draws: int, rng: np.random.Generator) -> Iterator[Floats]:
    """How often each user is in a bootstrap sample that keeps the sizes of both arms."""
    groups = [np.flatnonzero(arm), np.flatnonzero(~arm)]
    for _ in range(draws):
        weight = np.zeros(len(arm))
        for group in groups:
            weight[group] = np.bincount(rng.integers(0, len(group), len(group)), minlength=len(group))
        yield weight


def _experiment(
    score: ArrayLike, treated: ArrayLike, outcome: ArrayLike
) -> tuple[Floats, NDArray[np.bool_], Floats] | NotComputable:
    scores, values, arm = np.asarray(score, np.float64), np.asarray(outcome, np.float64), np.asarray(treated)
    if not scores.shape == values.shape == arm.shape or scores.ndim != 1:
        raise ValueError(
            f"score, treated, outcome have shapes {scores.shape}, {arm.shape}, {values.shape}; give one per user."
        )
    if not (np.isfinite(scores).all() and np.isfinite(values).all() and np.isin(arm, (0, 1)).all()):
        raise ValueError("A score or outcome is not finite, or treated is not 0 or 1; leave out users without one.")
    arm = arm.astype(np.bool_)
    if not arm.any():
        return NotComputable(Reason.NO_DATA, f"None of {len(arm)} users were treated.")
    if arm.all():
        return NotComputable(Reason.NO_CONTROL, f"All {len(arm)} users were treated.")
    return scores, arm, values


def _area(x: Floats, y: Floats) -> float:
    return float(np.trapezoid(y, x))
