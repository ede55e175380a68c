"""From touches and conversions to weighted unique paths: journeys found, transformed, and equal ones counted together."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models_ml.attribution.arrays import Floats, sum_by
from models_ml.attribution.journeys import Journeys, Steps, find_journeys
from models_ml.attribution.paths import Paths
from models_ml.attribution.rules import DEFAULT_RULES, PathRules
from models_ml.attribution.transforms import transform


def collect_paths(touches: pl.DataFrame, conversions: pl.DataFrame, rules: PathRules = DEFAULT_RULES) -> Paths:
    """Find the touches before each conversion and count equal paths together.

    ``touches``: one row each with ``touch_id``, ``user_id``, ``occurred_at``, ``kind``, the column named by
    ``rules.level``, and ``session_id`` if one touch per session counts (touches without a session count for
    themselves). ``conversions``: ``conversion_id``, ``user_id``, ``occurred_at``, ``revenue``. Rows in any order;
    instants in any one zone, exact to the microsecond.

    Every conversion has a path of its own, made of all touches in its look-back window, be they in another's window
    too. Touches in no conversion's window make paths without a conversion: from a user's first such touch on, one for
    each stretch of time as long as the window. Touches of the same instant are ordered by ``touch_id``: as arbitrary as
    ids are, so that no channel is favored, and the same in every run.

    Raises ValueError for missing columns, nulls, repeated ids, and revenue below 0, NaN or infinite.
    """
    journeys = find_journeys(touches, conversions, rules)
    return _aggregate(journeys, transform(journeys, rules), rules)


def _aggregate(journeys: Journeys, steps: Steps, rules: PathRules) -> Paths:
    by_journey = pl.DataFrame({"journey": steps.journey, "channel": steps.channel})
    in_order = by_journey.group_by("journey", maintain_order=True).agg(pl.col("channel").alias("path"))
    paths = in_order.group_by("path", maintain_order=True).agg("journey").with_row_index("index")
    belongs = paths.select("index", "journey").explode("journey")
    path_of_journey = np.empty(len(journeys), dtype=np.int64)
    path_of_journey[belongs["journey"].to_numpy()] = belongs["index"].to_numpy()
    lengths = paths["path"].list.len().to_numpy().astype(np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths)])

    def per_path(weights: NDArray[np.number | np.bool_]) -> Floats:
        return sum_by(path_of_journey, weights, len(paths))

    share = _decayed_shares(steps, len(journeys), rules.half_life)
    touches = np.bincount(steps.journey, minlength=len(journeys))
    position = np.arange(len(steps.journey)) - np.repeat(np.cumsum(touches) - touches, touches)
    slot = offsets[path_of_journey[steps.journey]] + position
    return Paths(
        channels=journeys.channels,
        touches=paths["path"].explode().cast(pl.Int64).to_numpy(),
        offsets=offsets,
        conversions=per_path(journeys.converts),
        revenue=per_path(journeys.revenue),
        unconverted=per_path(~journeys.converts),
        decayed_conversions=sum_by(slot, share * journeys.converts[steps.journey], offsets[-1]),
        decayed_revenue=sum_by(slot, share * journeys.revenue[steps.journey], offsets[-1]),
        unattributed_conversions=float(len(journeys.unattributed)),
        unattributed_revenue=float(journeys.unattributed.sum()),
        rules=rules,
    )


def _decayed_shares(steps: Steps, journeys: int, half_life: timedelta) -> Floats:
    """2^(-age / half-life), divided by its sum over the journey."""
    # Measured from the journey's youngest touch, whose weight is then 1: old journeys do not underflow.
    youngest = np.full(journeys, np.inf)
    np.minimum.at(youngest, steps.journey, steps.age)
    weight = np.exp2((youngest[steps.journey] - steps.age) / (half_life / timedelta(microseconds=1)))
    return np.asarray(weight / sum_by(steps.journey, weight, journeys)[steps.journey])
