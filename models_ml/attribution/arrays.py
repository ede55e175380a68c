"""Counting by position: the arrays in which paths and credit are held, and sums and codes over them."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]


def sum_by(index: Integers, weights: NDArray[np.number | np.bool_], size: int) -> Floats:
    """Sums of the weights by index, for each index from 0 to ``size``."""
    return np.bincount(index, weights, size).astype(np.float64, copy=False)  # of nothing, numpy counts in integers


def compact(keys: Integers, bound: int) -> tuple[Integers, Integers]:
    """The distinct keys in order, and each key's position among them; keys run from 0 to ``bound``.

    What ``np.unique`` gives, by a table instead of by sorting where that is smaller than the keys are many.
    """
    if bound > 4 * len(keys):
        distinct, index = np.unique(keys, return_inverse=True)
        return distinct, index
    seen = np.zeros(bound, dtype=np.bool_)
    seen[keys] = True
    return np.flatnonzero(seen), (np.cumsum(seen) - 1)[keys]


def coded(labels: pl.Series) -> tuple[tuple[str, ...], Integers]:
    """The distinct labels in order, and each label's position among them."""
    distinct = labels.unique().sort()
    return tuple(distinct.to_list()), labels.cast(pl.Enum(distinct)).to_physical().cast(pl.Int64).to_numpy()
