"""How well a score of uplift tells who is moved from who is not: AUC, precision, recall and F1 (spec 02-metrics, 23)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from models_ml.experiments.targeting import Floats, targeting_curve
from models_ml.reasons import NotComputable, Reason
from models_ml.registry import Metric

_Z = float(norm.ppf(0.975))


def evaluate_uplift(
    score: ArrayLike, treated: ArrayLike, converted: ArrayLike, *, threshold: float = 0.0
) -> dict[str, Metric] | NotComputable:
    """How well predicted uplift classifies, on a randomized experiment that it was not trained on.

    Nobody is seen both treated and not, so no user is known to be moved. The class is therefore the transformed one of
    Jaśkowski and Jaroszewicz (2012, "Uplift modeling for clinical trial data"): positive are the treated who converted and
    the untreated who did not. With arms of equal weight a user with the effect τ is positive with probability (1 + τ)/2,
    so the class is what the score should tell. ``score`` (the predicted difference of conversion rates), ``treated`` and
    ``converted`` (0/1) have one number per user. The result holds

    - auc: chance that a positive user scores above a negative one, with a 95 % interval on the logit scale (none when the order is
      perfect). Over all users it is ½ + 2A/(1 − τ̄²), with A the area between the uplift curve and that of random targeting and τ̄
      the mean effect: it says what the Qini area says, and small effects keep it near ½ whatever the model,
    - recall, f1, precision: of calling those whose score is above ``threshold``, 0 being where treating begins to help (no
      precision when none is),
    - qini: the Qini area; :func:`judge_targeting` gives its interval.

    Reasons: no_data, no_control, too_few_customers (one in an arm), one_class_only (fewer than two of a class). Raises ValueError when lengths
    differ, numbers are missing, or ``converted`` is not 0 or 1: revenue has no classes, judge it by the Qini area.
    """
    curve = targeting_curve(score, treated, converted)
    if isinstance(curve, NotComputable):
        return curve
    scores, arm, outcome = np.asarray(score, np.float64), np.asarray(treated, np.bool_), np.asarray(converted)
    if not np.isin(outcome, (0, 1)).all():
        raise ValueError("converted holds something else than 0 and 1; judge revenue by judge_targeting.")
    positive = arm == (outcome == 1)
    for sides, name, reason in ((arm, "arm", Reason.TOO_FEW_CUSTOMERS), (positive, "class", Reason.ONE_CLASS_ONLY)):
        fewest = min(int(sides.sum()), int((~sides).sum()))
        if fewest < 2:
            return NotComputable(reason, f"A {name} has {fewest} of {len(arm)} users; two are needed.")
    # Arms weigh the same, whatever their sizes; all weights sum to the number of users.
    weight = len(arm) / 2 / np.where(arm, arm.sum(), (~arm).sum())
    called = scores > threshold
    found, all_called = float(weight[positive & called].sum()), float(weight[called].sum())
    all_positive = float(weight[positive].sum())
    return {
        "auc": _auc(scores, arm, positive, weight),
        "recall": Metric(found / all_positive),
        "f1": Metric(2 * found / (all_called + all_positive)),
        **({"precision": Metric(found / all_called)} if called.any() else {}),
        "qini": Metric(curve.qini_area),
    }


def _auc(score: Floats, arm: NDArray[np.bool_], positive: NDArray[np.bool_], weight: Floats) -> Metric:
    """By the share of the other class on the right side of each user, ties counting half; its variance by their spread.

    Written by hand, for no kept library gives the variance: that of DeLong, DeLong and Clarke-Pearson (1988), Biometrics
    44, as the influence of each user (Hampel 1974), for users who weigh differently and arms whose sizes are given.
    """
    _, place = np.unique(score, return_inverse=True)

    def share_below(members: NDArray[np.bool_]) -> Floats:
        here = np.bincount(place, weight * members)
        return np.asarray(((np.cumsum(here) - here / 2) / here.sum())[place])

    share = float(weight @ positive) / len(score)
    right = np.where(positive, share_below(~positive), 1 - share_below(positive))
    auc = float(np.average(right, weights=weight * positive))
    influence = weight * (right - auc) / np.where(positive, share, 1 - share)
    variance = sum(side.sum() * influence[side].var(ddof=1) for side in (arm, ~arm)) / len(score) ** 2
    if not variance or not 0 < auc < 1:
        return Metric(auc)
    center, half = math.log(auc / (1 - auc)), _Z * math.sqrt(variance) / (auc * (1 - auc))
    return Metric(auc, 1 / (1 + math.exp(half - center)), 1 / (1 + math.exp(-half - center)))
