"""Drift: whether what a model reads still looks like what it was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from models_ml.reasons import NotComputable, Reason

_BINS = 10
_MODERATE, _STRONG = 0.1, 0.25


@dataclass(frozen=True)
class Reference:
    """How a feature was distributed in training: ten bins of equal share, and one of missing values.

    ``cut_points`` are the largest values of all bins but the last; a value that fills a tenth or more has a bin to
    itself. ``counts`` begins with the missing values, then one per bin.
    """

    cut_points: tuple[float, ...]
    counts: tuple[int, ...]


def reference(values: ArrayLike) -> Reference:
    """The reference distribution of a feature; NaN counts as missing. Raises ValueError without any row."""
    found = np.asarray(values, dtype=np.float64)
    if not len(found):
        raise ValueError("The training has no rows; there is nothing to compare later ones with.")
    present = np.sort(found[~np.isnan(found)])
    if not len(present):
        return Reference((), (len(found), 0))
    deciles, times = np.unique(
        np.quantile(present, np.arange(1, _BINS) / _BINS, method="inverted_cdf"), return_counts=True
    )
    # A decile met twice is a point mass. Cut below it too, or values that leave it downwards would go unseen.
    cuts = np.unique(np.concatenate([deciles, np.nextafter(deciles[times > 1], -np.inf)]))
    return Reference(tuple(cuts.tolist()), tuple(_counts(cuts, found).tolist()))


def psi(expected: Reference, values: ArrayLike) -> float | NotComputable:
    """Population stability index of ``values`` against the reference: Σ (a − e) ln(a / e) over the shares of the bins.

    Half a row is added to each bin on both sides (Jeffreys), so an empty one gives a large number, not an infinite one.
    By convention below 0.1 is stable and from 0.25 on a strong shift. Of two samples of n and m rows of one
    distribution it is about 10 (1/n + 1/m): hundreds of rows are needed to tell. NotComputable without values.
    """
    found = np.asarray(values, dtype=np.float64)
    if not len(found):
        return NotComputable(Reason.NO_DATA, "There are no values to compare with the reference.")
    before, after = np.array(expected.counts), _counts(np.array(expected.cut_points), found)
    # A bin empty on both sides, such as that of missing values, says nothing.
    known = (before + after) > 0
    e, a = (0.5 + before[known]) / (0.5 + before[known]).sum(), (0.5 + after[known]) / (0.5 + after[known]).sum()
    return float((a - e) @ np.log(a / e))


def references(frame: pl.DataFrame) -> dict[str, Reference]:
    """The reference distribution of every column of a training frame."""
    return {name: reference(_values(frame, name)) for name in frame.columns}


def drift(expected: Mapping[str, Reference], frame: pl.DataFrame) -> pl.DataFrame | NotComputable:
    """Which features have shifted: feature, psi, verdict (stable, moderate, strong), the strongest first.

    Raises ValueError when ``frame`` lacks one of the features. NotComputable when it has no rows.
    """
    missing = [name for name in expected if name not in frame.columns]
    if missing:
        raise ValueError(f"The frame lacks {', '.join(missing)}; give all features of the reference.")
    if frame.is_empty():
        return NotComputable(Reason.NO_DATA, "There are no rows to compare with the reference.")
    rows = [(name, psi(each, _values(frame, name))) for name, each in expected.items()]
    index = pl.col("psi")
    verdict = pl.when(index >= _STRONG).then(pl.lit("strong")).when(index >= _MODERATE).then(pl.lit("moderate"))
    found = pl.DataFrame(rows, schema={"feature": pl.String, "psi": pl.Float64}, orient="row")
    return found.with_columns(verdict=verdict.otherwise(pl.lit("stable"))).sort(
        "psi", "feature", descending=[True, False]
    )


def _values(frame: pl.DataFrame, name: str) -> NDArray[np.float64]:
    return frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy()


def _counts(cuts: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.int64]:
    missing = np.isnan(values)
    places = np.searchsorted(cuts, values[~missing], side="left")
    return np.concatenate([[missing.sum()], np.bincount(places, minlength=len(cuts) + 1)])
