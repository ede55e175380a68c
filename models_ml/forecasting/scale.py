"""The scale on which a series' weekly swings are about the same at every level."""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from models_ml.series import WEEK, Floats


class Scale(StrEnum):
    """Raw values, square roots (counts and sums of them) or logarithms (growth and seasons in percent)."""

    RAW = "raw"
    SQRT = "sqrt"
    LOG = "log"

    def transform(self, values: Floats) -> Floats:
        """Values on this scale."""
        if self is Scale.SQRT:
            return np.sqrt(values)
        return np.log(values) if self is Scale.LOG else values

    def restore(self, scaled: Floats) -> Floats:
        """The values that are ``scaled`` on this scale; what a path puts below the root of 0 is 0."""
        if self is Scale.SQRT:
            return np.maximum(scaled, 0.0) ** 2
        return np.exp(scaled) if self is Scale.LOG else scaled


_POWER = {Scale.RAW: 1.0, Scale.SQRT: 0.5, Scale.LOG: 0.0}


def suitable_scale(values: Floats, lowest: float | None = None) -> Scale:
    """The scale with the steadiest spread by Guerrero's method (1993), week by week.

    For each power λ (1, ½, 0) the ratio sd / mean^(1 − λ) of every week should be the same; the one whose ratios vary
    least, relative to their mean, is chosen. Logarithms need values above 0, roots none below 0; ``lowest`` says what
    value must have a place on the scale, if it is not among the values.
    """
    least = values.min() if lowest is None else min(lowest, values.min())
    usable = [scale for scale in Scale if least > 0 or scale is Scale.RAW or (least == 0 and scale is Scale.SQRT)]
    weeks = values[len(values) % WEEK :].reshape(-1, WEEK)
    weeks = weeks[weeks.mean(axis=1) > 0]
    if len(usable) == 1 or len(weeks) < 2:
        return Scale.RAW
    mean, sd = weeks.mean(axis=1), weeks.std(axis=1, ddof=1)
    if not sd.any():
        return Scale.RAW
    ratios = {scale: sd / mean ** (1 - _POWER[scale]) for scale in usable}
    return min(usable, key=lambda scale: float(ratios[scale].std() / ratios[scale].mean()))
