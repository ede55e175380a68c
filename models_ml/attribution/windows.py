"""Data-driven credit of every breakdown and window at once, as a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl

from models_ml.attribution.chain import markov
from models_ml.attribution.credit import Credit, Model
from models_ml.attribution.frames import require_columns
from models_ml.attribution.games import shapley
from models_ml.attribution.paths import Paths
from models_ml.reasons import NotComputable

_MODELS: Mapping[Model, Callable[[Paths], Credit | NotComputable]] = {Model.MARKOV: markov, Model.SHAPLEY: shapley}
_SCHEMA: dict[str, Any] = {
    "breakdown": pl.String,
    "window_label": pl.String,
    "breakdown_key": pl.String,
    "model": pl.String,
    "orders": pl.Float64,
    "revenue": pl.Decimal(18, 4),
    "null_reason": pl.String,
}
_CENTS = 4


def credit_windows(paths: pl.DataFrame) -> pl.DataFrame:
    """Markov (order 1) and Shapley credit of the channels of weighted unique paths, in each breakdown and window.

    ``paths``: ``breakdown``, ``window_labels`` (list of the windows that hold these journeys), ``path`` (list of channels),
    ``conversions``, ``revenue``, ``unconverted`` and ``missing_rate`` (conversions without a known revenue). One row per
    breakdown, window, channel and model: its ``orders`` and ``revenue``, to four decimals so that they sum exactly to
    that of the paths. Where an amount is unknown, revenue is null with the reason ``missing_rate``; where a model gives
    no credit, both, with its reason.

    Raises ValueError for missing columns and what :class:`Paths` refuses.
    """
    require_columns("paths", paths, ("breakdown", "window_labels", "path", "missing_rate"))
    ordered = paths.sort("breakdown", "path", "window_labels")  # sums of floats depend on their order
    rows = [
        row
        for part in ordered.partition_by("breakdown")
        for label in part["window_labels"].explode().unique().sort()
        for row in _rows(part.filter(pl.col("window_labels").list.contains(label)), label)
    ]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def _rows(frame: pl.DataFrame, window_label: str) -> Iterator[dict[str, Any]]:
    paths = Paths.from_frame(frame)
    is_known = not frame["missing_rate"].sum()
    for name, model in _MODELS.items():
        credit = model(paths)
        common = {"breakdown": frame["breakdown"][0], "window_label": window_label, "model": str(name)}
        if isinstance(credit, NotComputable):
            for channel in paths.channels:
                yield {**common, "breakdown_key": channel, "null_reason": str(credit.reason)}
            continue
        amounts = _rounded(credit.revenue) if is_known else [None] * len(paths.channels)
        for channel, orders, amount in zip(paths.channels, credit.conversions.tolist(), amounts, strict=True):
            reason = None if is_known else "missing_rate"
            yield {**common, "breakdown_key": channel, "orders": orders, "revenue": amount, "null_reason": reason}


def _rounded(amounts: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> list[Any]:
    """The amounts to four decimals: each what the rounded sum up to it grows by, so that none is lost."""
    totals = pl.Series(np.cumsum(amounts)).round(_CENTS).cast(pl.Decimal(18, _CENTS))
    return (totals - totals.shift(1).fill_null(0)).to_list()
