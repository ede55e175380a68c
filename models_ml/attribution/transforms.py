"""What a journey keeps of its touches: the rules on sessions, on unwanted channels and on repeats, in their order."""

from __future__ import annotations

import numpy as np
import polars as pl

from models_ml.attribution.arrays import Flags, sum_by
from models_ml.attribution.journeys import Journeys, Steps
from models_ml.attribution.rules import PathRules, Repeats


def transform(journeys: Journeys, rules: PathRules) -> Steps:
    """The touches that stay; every journey keeps at least one."""
    steps, channels = journeys.steps, journeys.channels
    if rules.one_per_session:
        session = pl.DataFrame({"journey": steps.journey, "session": journeys.stream["session_id"].gather(steps.row)})
        is_first = pl.struct("journey", "session").is_first_distinct() | pl.col("session").is_null()
        steps = steps.keep(session.select(is_first.alias("kept"))["kept"].to_numpy())
    if rules.remove_if_not_only:
        other = _are_outside(rules.remove_if_not_only, steps, channels)
        has_other = sum_by(steps.journey, other, len(journeys)) > 0
        steps = steps.keep(other | ~has_other[steps.journey])
    if rules.remove_if_last_and_not_only:
        others = np.flatnonzero(_are_outside(rules.remove_if_last_and_not_only, steps, channels))
        last_other = np.full(len(journeys), -1)
        last_other[steps.journey[others]] = others  # of several, the last one stays
        end = last_other[steps.journey]
        steps = steps.keep((end < 0) | (np.arange(len(end)) <= end))
    if rules.repeats is Repeats.EXPOSURE and len(steps.row):
        ends_run = (np.diff(steps.journey) != 0) | (np.diff(steps.channel) != 0)
        steps = steps.keep(np.append(ends_run, True))
    if rules.repeats is Repeats.FIRST:
        steps = steps.keep(pl.Series(steps.journey * len(channels) + steps.channel).is_first_distinct().to_numpy())
    return steps


def _are_outside(names: frozenset[str], steps: Steps, channels: tuple[str, ...]) -> Flags:
    return np.array([channel not in names for channel in channels], dtype=np.bool_)[steps.channel]
