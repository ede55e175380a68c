"""Credit by a touch's place or age alone: first, last, linear, position and time decay."""

from __future__ import annotations

import numpy as np

from models_ml.attribution.arrays import Floats, Integers, sum_by
from models_ml.attribution.credit import Credit, nothing_to_credit
from models_ml.attribution.paths import Paths
from models_ml.reasons import NotComputable, Reason


def first_touch(paths: Paths) -> Credit | NotComputable:
    """All credit to the first touch of the path."""
    return nothing_to_credit(paths) or _credit(paths, paths.first_touches, paths.conversions, paths.revenue)


def last_touch(paths: Paths) -> Credit | NotComputable:
    """All credit to the last touch before the conversion."""
    return nothing_to_credit(paths) or _credit(paths, paths.last_touches, paths.conversions, paths.revenue)


def linear(paths: Paths) -> Credit | NotComputable:
    """The same credit to every touch of the path."""
    return nothing_to_credit(paths) or _shared(paths, np.repeat(1 / paths.lengths, paths.lengths))


def position(paths: Paths, first: float = 0.4, last: float = 0.4) -> Credit | NotComputable:
    """Fixed shares to the first and the last touch, the rest evenly to those between.

    Where there is none between, first and last share all in their proportion; a single touch has it all.

    Raises ValueError if the shares are not positive or exceed 1 together.
    """
    if not (first > 0 and last > 0 and first + last <= 1):
        raise ValueError(f"first is {first} and last {last}; both must be above 0 and their sum at most 1.")
    return nothing_to_credit(paths) or _shared(paths, _position_shares(paths, first, last))


def time_decay(paths: Paths) -> Credit | NotComputable:
    """Credit that halves with every half-life between touch and conversion; the half-life is a rule of the paths."""
    nothing = nothing_to_credit(paths)
    if nothing:
        return nothing
    if paths.decayed_conversions is None or paths.decayed_revenue is None:
        return NotComputable(Reason.NO_TOUCH_TIMES, "The paths were aggregated without the ages of their touches.")
    return _credit(paths, paths.touches, paths.decayed_conversions, paths.decayed_revenue)


def _position_shares(paths: Paths, first: float, last: float) -> Floats:
    lengths = paths.lengths
    between = np.divide(1 - first - last, lengths - 2, out=np.zeros(len(lengths)), where=lengths > 2)
    shares = np.repeat(between, lengths)
    ends = np.where(lengths > 2, 1.0, first + last)
    shares[paths.offsets[:-1]] = first / ends
    shares[paths.offsets[1:] - 1] = last / ends
    shares[paths.offsets[:-1][lengths == 1]] = 1.0
    return shares


def _shared(paths: Paths, shares: Floats) -> Credit:
    """Credit by the share of each touch in its path."""
    conversions, revenue = (np.repeat(each, paths.lengths) for each in (paths.conversions, paths.revenue))
    return _credit(paths, paths.touches, shares * conversions, shares * revenue)


def _credit(paths: Paths, channel: Integers, conversions: Floats, revenue: Floats) -> Credit:
    size = len(paths.channels)
    return Credit(paths.channels, sum_by(channel, conversions, size), sum_by(channel, revenue, size))
