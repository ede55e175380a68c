"""What the frames given to this package must look like: one check, one wording of what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

ORDERS = ("customer_id", "ordered_at", "amount")
"""The columns of a frame with one row per completed order."""


def check_frame(
    frame: pl.DataFrame,
    name: str,
    *,
    columns: Sequence[str] = (),
    key: Sequence[str] = (),
    numbers: Sequence[str] = (),
    instants: Sequence[str] = (),
    optional_instants: Sequence[str] = (),
    as_of: datetime | None = None,
) -> None:
    """Raise ValueError unless ``frame`` has all the columns; ``name`` is what messages call it.

    ``key`` columns are filled and together unique; ``numbers`` are numeric, filled and finite; ``instants`` are filled
    datetimes, ``optional_instants`` may be null, and both have a time zone if and only if ``as_of`` has; of other
    ``columns`` only the presence is checked.
    """
    wanted = dict.fromkeys([*columns, *key, *numbers, *instants, *optional_instants])
    missing = [column for column in wanted if column not in frame.columns]
    if missing:
        raise ValueError(f"{name} lacks {', '.join(missing)}; it has {', '.join(frame.columns) or 'no columns'}.")
    for column in numbers:
        series = frame[column]
        if not (series.dtype.is_numeric() or series.dtype == pl.Null):
            raise ValueError(f"{name}.{column} is {series.dtype}; give a number.")
        wrong = len(series) - int(series.cast(pl.Float64).is_finite().sum())
        if wrong:
            raise ValueError(f"{name}.{column} has {wrong} values that are null, NaN or infinite; repair or drop them.")
    for column in (*instants, *optional_instants):
        dtype = frame.schema[column]
        if not isinstance(dtype, pl.Datetime):
            raise ValueError(f"{name}.{column} is {dtype}; give a Datetime.")
        if as_of is not None and (dtype.time_zone is None) != (as_of.tzinfo is None):
            raise ValueError(f"{name}.{column} is {dtype}, compared with {as_of}; give both or neither a time zone.")
    for column in (*key, *instants):
        if frame[column].null_count():
            raise ValueError(f"{name}.{column} has {frame[column].null_count()} nulls; drop those rows.")
    if key and frame.select(key).is_duplicated().any():
        repeated = frame.filter(frame.select(key).is_duplicated()).select(key).row(0)
        raise ValueError(f"{name} holds {repeated} more than once; give one row per {', '.join(key)}.")


def check_orders(orders: pl.DataFrame, as_of: datetime) -> None:
    """Raise ValueError unless ``orders`` has one row per completed order: customer_id, ordered_at, amount."""
    check_frame(orders, "orders", columns=ORDERS, numbers=("amount",), instants=("ordered_at",), as_of=as_of)
    if orders["customer_id"].null_count():
        raise ValueError(f"orders.customer_id has {orders['customer_id'].null_count()} nulls; drop those rows.")


def check_vectors(**vectors: ArrayLike) -> tuple[Floats, ...]:
    """The named vectors as float arrays; ValueError unless all are finite, not negative, of one dimension and length."""
    found = {name: np.asarray(vector, dtype=np.float64) for name, vector in vectors.items()}
    shapes = {name: array.shape for name, array in found.items()}
    if len(set(shapes.values())) != 1 or next(iter(found.values())).ndim != 1:
        raise ValueError(f"Vectors have the shapes {shapes}; give one value per customer in each.")
    for name, array in found.items():
        wrong = int((~np.isfinite(array) | (array < 0)).sum())
        if wrong:
            raise ValueError(f"{name} has {wrong} values that are negative, NaN or infinite; repair or drop them.")
    return tuple(found.values())
