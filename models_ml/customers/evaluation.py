"""How good predicted probabilities are, held against what happened."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm, rankdata
from sklearn.metrics import average_precision_score, brier_score_loss

from models_ml.customers.frames import Floats
from models_ml.reasons import NotComputable, Reason
from models_ml.registry import Metric

_Z = float(norm.ppf(0.975))
_BINS = 10
_LEAST_PER_CLASS = 2


def evaluate(
    happened: ArrayLike, probability: ArrayLike, *, threshold: float = 0.5
) -> dict[str, Metric] | NotComputable:
    """How well probabilities order and how well they mean what they say.

    ``happened`` is 0 or 1, ``probability`` from 0 to 1, one of each per case. The result holds

    - auc: area under the ROC curve, with DeLong's interval on the logit scale (none when the order is perfect),
    - average_precision: area under the precision-recall curve,
    - brier: mean squared error, with the interval of a mean,
    - ece: expected calibration error over ten bins of equal width,
    - top_decile_lift: rate among the tenth with the highest probabilities over the rate of all; cases that tie at its
      border count in part,
    - rate: share that happened,
    - recall, f1, precision: of calling those cases whose probability reaches ``threshold`` (no precision when none does).

    NotComputable with fewer than two cases of either kind. Raises ValueError for vectors that are not of this form.
    """
    y, p = _cases(happened, probability)
    reason = _too_few(y)
    if reason:
        return reason
    errors = (p - y) ** 2
    half = _Z * float(errors.std(ddof=1)) / math.sqrt(len(y))
    brier = float(brier_score_loss(y, p))
    called = p >= threshold
    found = float((called & (y == 1)).sum())
    return {
        "auc": _auc(y, p),
        "average_precision": Metric(float(average_precision_score(y, p))),
        "brier": Metric(brier, brier - half, brier + half),
        "ece": Metric(_calibration_error(y, p)),
        "top_decile_lift": Metric(_top_rate(y, p) / float(y.mean())),
        "rate": Metric(float(y.mean())),
        "recall": Metric(found / float(y.sum())),
        "f1": Metric(2 * found / float(called.sum() + y.sum())),
        **({"precision": Metric(found / float(called.sum()))} if called.any() else {}),
    }


def auc_difference(happened: ArrayLike, probability: ArrayLike, other: ArrayLike) -> Metric | NotComputable:
    """AUC of ``probability`` less that of ``other`` on the same cases, with DeLong's interval for paired curves.

    NotComputable with fewer than two cases of either kind. Raises ValueError for vectors that are not of this form.
    """
    y, p = _cases(happened, probability)
    _, q = _cases(happened, other)
    reason = _too_few(y)
    if reason:
        return reason
    (wins, losses), (other_wins, other_losses) = _placements(y, p), _placements(y, q)
    difference = float(wins.mean() - other_wins.mean())
    half = _Z * _deviation(wins - other_wins, losses - other_losses)
    return Metric(difference, difference - half, difference + half)


def _auc(y: Floats, p: Floats) -> Metric:
    wins, losses = _placements(y, p)
    auc, deviation = float(wins.mean()), _deviation(wins, losses)
    if deviation == 0:
        return Metric(auc)
    center, half = math.log(auc / (1 - auc)), _Z * deviation / (auc * (1 - auc))
    return Metric(auc, 1 / (1 + math.exp(half - center)), 1 / (1 + math.exp(-half - center)))


def _placements(y: Floats, p: Floats) -> tuple[Floats, Floats]:
    """Of each positive the share of negatives below it, of each negative the share of positives below; ties count ½.

    Written by hand, for no kept library gives an AUC's variance: DeLong, DeLong and Clarke-Pearson (1988), Biometrics
    44, by midranks as in Sun and Xu (2014), IEEE Signal Processing Letters 21.
    """
    positive = y == 1
    rank = rankdata(p)
    above = (rank[positive] - rankdata(p[positive])) / (~positive).sum()
    below = (rank[~positive] - rankdata(p[~positive])) / positive.sum()
    return np.asarray(above), np.asarray(below)


def _deviation(wins: Floats, losses: Floats) -> float:
    return math.sqrt(wins.var(ddof=1) / len(wins) + losses.var(ddof=1) / len(losses))


def _calibration_error(y: Floats, p: Floats) -> float:
    place = np.minimum((p * _BINS).astype(np.int64), _BINS - 1)
    return float(np.abs(np.bincount(place, p - y, _BINS)).sum() / len(y))


def _top_rate(y: Floats, p: Floats) -> float:
    size = len(y) / _BINS
    border = np.sort(p)[-math.ceil(size)]
    above, at = p > border, p == border
    return float((y[above].sum() + y[at].mean() * (size - above.sum())) / size)


def _cases(happened: ArrayLike, probability: ArrayLike) -> tuple[Floats, Floats]:
    y, p = np.asarray(happened, dtype=np.float64), np.asarray(probability, dtype=np.float64)
    if y.ndim != 1 or y.shape != p.shape:
        raise ValueError(f"There are {y.shape} outcomes and {p.shape} probabilities; give one of each per case.")
    if not np.isin(y, (0.0, 1.0)).all():
        raise ValueError("An outcome is neither 0 nor 1.")
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError("A probability is not between 0 and 1.")
    return y, p


def _too_few(y: Floats) -> NotComputable | None:
    positive = int(y.sum())
    if min(positive, len(y) - positive) >= _LEAST_PER_CLASS:
        return None
    return NotComputable(
        Reason.ONE_CLASS_ONLY, f"It happened in {positive} of {len(y)} cases; two of each kind are needed."
    )
