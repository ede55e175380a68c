"""How far credit could differ by the chance of which journeys were seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from models_ml.attribution.arrays import Floats
from models_ml.attribution.credit import Credit
from models_ml.attribution.paths import Paths
from models_ml.reasons import NotComputable, Reason


@dataclass(frozen=True, eq=False)
class CreditIntervals:
    """Credit with the bounds of its percentile interval at ``level`` from ``replicates`` resamples.

    Bounds have the shape (2, channels): lower and upper.
    """

    credit: Credit
    conversions: Floats
    revenue: Floats
    level: float
    replicates: int

    def to_frame(self) -> pl.DataFrame:
        """One row per channel, each measure with ``_lower`` and ``_upper``."""
        bounds = {
            f"{name}_{side}": getattr(self, name)[row]
            for name in ("conversions", "revenue")
            for row, side in enumerate(("lower", "upper"))
        }
        return self.credit.to_frame().with_columns(**{name: pl.Series(values) for name, values in bounds.items()})


def bootstrap(
    paths: Paths,
    model: Callable[[Paths], Credit | NotComputable],
    seed: int,
    replicates: int = 200,
    level: float = 0.95,
) -> CreditIntervals | NotComputable:
    """Percentile intervals of a model's credit from journeys drawn anew with replacement (Efron 1979).

    A draw changes how many journeys of each path converted or not; a conversion brings its path's mean revenue. Time
    decay keeps each path's shares. ``model`` is for instance :func:`markov` or ``partial(markov, order=2)``. Journeys
    count as whole, so the paths' counts should be whole numbers.

    Raises ValueError for fewer than two replicates or a level outside 0..1.
    """
    if replicates < 2:
        raise ValueError(f"replicates is {replicates}; an interval needs at least 2, 200 are usual.")
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; it must lie between 0 and 1, for instance 0.95.")
    credit = model(paths)
    if isinstance(credit, NotComputable):
        return credit
    rng = np.random.default_rng(seed)
    drawn = [model(_resampled(paths, rng)) for _ in range(replicates)]
    usable = [each for each in drawn if isinstance(each, Credit)]
    if len(usable) < replicates:
        details = f"{replicates - len(usable)} of {replicates} resamples of the journeys have no conversion."
        return NotComputable(Reason.TOO_FEW_CONVERSIONS, details)
    tails = ((1 - level) / 2, (1 + level) / 2)
    return CreditIntervals(
        credit=credit,
        conversions=np.quantile([each.conversions for each in usable], tails, axis=0),
        revenue=np.quantile([each.revenue for each in usable], tails, axis=0),
        level=level,
        replicates=replicates,
    )


def _resampled(paths: Paths, rng: np.random.Generator) -> Paths:
    cells = np.concatenate([paths.conversions, paths.unconverted])
    conversions, unconverted = np.split(rng.multinomial(round(cells.sum()), cells / cells.sum()).astype(np.float64), 2)
    factor = np.divide(conversions, paths.conversions, out=np.zeros(len(paths)), where=paths.conversions > 0)
    of_touch = np.repeat(factor, paths.lengths)
    return replace(
        paths,
        conversions=conversions,
        unconverted=unconverted,
        revenue=paths.revenue * factor,
        decayed_conversions=None if paths.decayed_conversions is None else paths.decayed_conversions * of_touch,
        decayed_revenue=None if paths.decayed_revenue is None else paths.decayed_revenue * of_touch,
    )
