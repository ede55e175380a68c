"""All models at once: the call of a notebook's first line and of the warehouse's asset."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial

import polars as pl

from models_ml.attribution.chain import markov
from models_ml.attribution.credit import Credit, Model
from models_ml.attribution.games import shapley, shapley_simplified
from models_ml.attribution.paths import Paths
from models_ml.attribution.rule_based import first_touch, last_touch, linear, position, time_decay
from models_ml.attribution.rules import PathRules
from models_ml.reasons import NotComputable

FUNCTIONS: Mapping[Model, Callable[[Paths], Credit | NotComputable]] = {
    Model.FIRST_TOUCH: first_touch,
    Model.LAST_TOUCH: last_touch,
    Model.LINEAR: linear,
    Model.POSITION: position,
    Model.TIME_DECAY: time_decay,
    Model.MARKOV: markov,
    Model.SHAPLEY: shapley,
    Model.SHAPLEY_SIMPLIFIED: shapley_simplified,
}
"""Every model with its defaults: position 40/20/40, Markov of order 1."""


@dataclass(frozen=True, eq=False)
class Attribution:
    """One run: each model's credit or why it has none, and what no model can credit for want of a touch."""

    credits: Mapping[Model, Credit | NotComputable]
    unattributed_conversions: float
    unattributed_revenue: float
    rules: PathRules | None

    def to_frame(self) -> pl.DataFrame:
        """One row per model and channel: ``model, channel, conversions, revenue``; models without credit have none."""
        frames = [
            credit.to_frame().select(pl.lit(str(model)).alias("model"), pl.all())
            for model, credit in self.credits.items()
            if isinstance(credit, Credit)
        ]
        schema = {"model": pl.String, "channel": pl.String, "conversions": pl.Float64, "revenue": pl.Float64}
        return pl.concat([pl.DataFrame(schema=schema), *frames])

    @property
    def not_computable(self) -> Mapping[Model, NotComputable]:
        """The models without credit, and why."""
        return {model: credit for model, credit in self.credits.items() if isinstance(credit, NotComputable)}


def attribute(paths: Paths, models: Collection[Model] = tuple(Model), order: int = 1) -> Attribution:
    """Credit the paths' conversions and revenue by several models; ``order`` is that of the Markov chain.

    ``attribute(collect_paths(touches, conversions)).to_frame()`` is the whole way from events to credit.
    Raises ValueError for an order that is not offered.
    """
    functions: Mapping[Model, Callable[[Paths], Credit | NotComputable]] = {
        **FUNCTIONS,
        Model.MARKOV: partial(markov, order=order),
    }
    return Attribution(
        credits={model: functions[model](paths) for model in Model if model in models},
        unattributed_conversions=paths.unattributed_conversions,
        unattributed_revenue=paths.unattributed_revenue,
        rules=paths.rules,
    )
