"""What the frames given to this package must look like, and how it is said what is wrong with one."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl


def require_columns(name: str, frame: pl.DataFrame, columns: Collection[str]) -> None:
    """Raise ValueError if the frame called ``name`` lacks one of the columns."""
    absent = [column for column in columns if column not in frame.columns]
    if absent:
        raise ValueError(f"{name} lacks {', '.join(absent)}; it has {', '.join(frame.columns)}.")


def require_rows(name: str, frame: pl.DataFrame, key: str, columns: Collection[str]) -> None:
    """Raise ValueError if the frame has a null in one of the columns, or a key more than once."""
    for column in (key, *columns):
        if frame[column].null_count():
            raise ValueError(f"{name} has a null in {column}; fill it or leave the row out.")
    if frame[key].n_unique() < len(frame):
        repeated = frame.filter(pl.col(key).is_duplicated())[key][0]
        raise ValueError(f"{name} has {key} {repeated} more than once; keep one row of it.")
