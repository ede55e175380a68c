"""What every attribution model gives: credit by channel; its names, its tables, its join with spend."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import polars as pl

from models_ml.attribution.arrays import Floats
from models_ml.attribution.frames import require_columns
from models_ml.attribution.paths import Paths
from models_ml.reasons import NotComputable, Reason


class Model(StrEnum):
    """The models, by the names under which their credit is kept."""

    FIRST_TOUCH = "first_touch"
    LAST_TOUCH = "last_touch"
    LINEAR = "linear"
    POSITION = "position"
    TIME_DECAY = "time_decay"
    MARKOV = "markov"
    SHAPLEY = "shapley"
    SHAPLEY_SIMPLIFIED = "shapley_simplified"


@dataclass(frozen=True, eq=False)
class Credit:
    """Conversions and revenue credited to each channel; they sum to those of the paths."""

    channels: tuple[str, ...]
    conversions: Floats
    revenue: Floats

    def to_frame(self) -> pl.DataFrame:
        """One row per channel: ``channel, conversions, revenue``."""
        return pl.DataFrame(
            {
                "channel": pl.Series(self.channels, dtype=pl.String),
                "conversions": self.conversions,
                "revenue": self.revenue,
            }
        )


def nothing_to_credit(paths: Paths) -> NotComputable | None:
    """Why no model can credit these paths, or None if there is something to credit."""
    if len(paths) == 0:
        return NotComputable(Reason.NO_DATA, "There is no path.")
    if paths.conversions.sum() == 0:
        return NotComputable(Reason.NO_CONVERSIONS, f"None of {paths.unconverted.sum():,.0f} journeys converted.")
    return None


def join_spend(credit: pl.DataFrame, spend: pl.DataFrame) -> pl.DataFrame:
    """Put credit and spend side by side; neither loses a row to the other.

    ``credit``: ``model, channel, conversions, revenue``. ``spend``: ``channel, spend``, one row per channel. A channel
    with spend that a model does not know has its credit 0 there; spend is null where none is recorded.

    Raises ValueError for missing columns and for a channel with two rows of spend.
    """
    require_columns("credit", credit, ("model", "channel", "conversions", "revenue"))
    require_columns("spend", spend, ("channel", "spend"))
    if spend["channel"].is_duplicated().any():
        repeated = spend.filter(pl.col("channel").is_duplicated())["channel"][0]
        raise ValueError(f"spend has more than one row for {repeated}; sum it by channel.")
    keys = ("model", "channel")
    spent = credit.select(pl.col("model").unique()).join(spend.select("channel", "spend"), how="cross")
    joined = credit.join(spent, on=keys, how="full", coalesce=True)
    return joined.with_columns(pl.col("conversions", "revenue").fill_null(0.0)).sort(keys)
