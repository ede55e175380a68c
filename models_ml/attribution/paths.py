"""Customers' ways to a conversion or to none, equal ways counted together: what every model credits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from models_ml.attribution.arrays import Floats, Integers, coded
from models_ml.attribution.frames import require_columns
from models_ml.attribution.rules import PathRules


@dataclass(frozen=True, eq=False)
class Paths:
    """Weighted unique paths: path ``i`` is ``touches[offsets[i]:offsets[i + 1]]``, each touch a position in ``channels``.

    ``conversions``, ``revenue`` and ``unconverted`` (journeys that ended without a conversion) have one number per
    path; the same path may stand in several rows. ``decayed_conversions`` and ``decayed_revenue`` have one number per
    touch: what time decay credits it with, summed over the path's journeys; None where the touches' times are unknown.
    ``unattributed_*`` is what had no touch to credit. ``rules``: how the paths were made, where known.

    Raises ValueError for arrays that do not fit together, for empty paths, and for numbers below 0, NaN or infinite.
    """

    channels: tuple[str, ...]
    touches: Integers
    offsets: Integers
    conversions: Floats
    revenue: Floats
    unconverted: Floats
    decayed_conversions: Floats | None = None
    decayed_revenue: Floats | None = None
    unattributed_conversions: float = 0.0
    unattributed_revenue: float = 0.0
    rules: PathRules | None = None

    def __post_init__(self) -> None:
        if len(set(self.channels)) != len(self.channels):
            raise ValueError(f"channels {self.channels} repeats a name; give every channel one position.")
        if len(self.offsets) == 0 or self.offsets[0] != 0 or self.offsets[-1] != len(self.touches):
            raise ValueError(f"offsets must run from 0 to the {len(self.touches)} touches.")
        if len(self) and self.lengths.min() < 1:
            raise ValueError("a path has no touch; count its conversions as unattributed.")
        if len(self.touches) and not 0 <= self.touches.min() <= self.touches.max() < len(self.channels):
            raise ValueError(f"touches must be positions in the {len(self.channels)} channels.")
        for name, size in (
            ("conversions", len(self)),
            ("revenue", len(self)),
            ("unconverted", len(self)),
            ("decayed_conversions", len(self.touches)),
            ("decayed_revenue", len(self.touches)),
        ):
            numbers = getattr(self, name)
            if numbers is None:
                continue
            if numbers.shape != (size,):
                raise ValueError(f"{name} has the shape {numbers.shape}; it needs {(size,)}.")
            bad = np.flatnonzero(~(np.isfinite(numbers) & (numbers >= 0)))
            if len(bad):
                raise ValueError(f"{name} is {numbers[bad[0]]} at position {bad[0]}; it must be finite and at least 0.")
        unearned = np.flatnonzero((self.revenue > 0) & (self.conversions == 0))
        if len(unearned):
            raise ValueError(
                f"path {unearned[0]} has revenue without a conversion; give it the conversions that earned it."
            )

    def __len__(self) -> int:
        """The number of paths."""
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Integers:
        """Number of touches of each path."""
        return np.diff(self.offsets)

    @property
    def path_of_touch(self) -> Integers:
        """For each touch the path that it belongs to."""
        return np.repeat(np.arange(len(self)), self.lengths)

    @property
    def first_touches(self) -> Integers:
        """The channel with which each path begins."""
        return self.touches[self.offsets[:-1]]

    @property
    def last_touches(self) -> Integers:
        """The channel with which each path ends."""
        return self.touches[self.offsets[1:] - 1]

    @property
    def journeys(self) -> Floats:
        """Number of journeys on each path, converted or not."""
        return self.conversions + self.unconverted

    @classmethod
    def from_frame(cls, frame: pl.DataFrame, rules: PathRules | None = None) -> Paths:
        """Paths that the warehouse aggregated.

        Columns: ``path`` (a list of channels in the order of time), ``conversions``, ``revenue``, ``unconverted``, and
        where times are known ``decayed_conversions`` and ``decayed_revenue`` (lists as long as the path). What converts
        on an empty path is unattributed.

        Raises ValueError for missing columns, nulls, and what :class:`Paths` refuses.
        """
        require_columns("paths", frame, ("path", "conversions", "revenue", "unconverted"))
        decays = [name for name in ("decayed_conversions", "decayed_revenue") if name in frame.columns]
        if len(decays) == 1:
            raise ValueError(f"paths has {decays[0]} alone; give both decayed_conversions and decayed_revenue or none.")
        used = frame.select(
            pl.col("path").cast(pl.List(pl.String)),
            pl.col("conversions", "revenue", "unconverted").cast(pl.Float64),
            *(pl.col(name).cast(pl.List(pl.Float64)) for name in decays),
        )
        for name in used.columns:
            if used[name].null_count():
                raise ValueError(f"paths has a null in {name}; fill it or leave the row out.")
        empty = used.filter(pl.col("path").list.len() == 0)
        used = used.filter(pl.col("path").list.len() > 0)
        labels = used["path"].explode()
        if labels.null_count():
            raise ValueError("a path has a null among its channels; name it, for instance 'unknown'.")
        channels, codes = coded(labels)
        lengths = used["path"].list.len().to_numpy()
        for name in decays:
            if (used[name].list.len().to_numpy() != lengths).any():
                raise ValueError(f"{name} is not as long as its path; give one number per touch.")
        decayed = {name: used[name].explode().to_numpy() for name in decays}
        return cls(
            channels=channels,
            touches=codes,
            offsets=np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]),
            conversions=used["conversions"].to_numpy(),
            revenue=used["revenue"].to_numpy(),
            unconverted=used["unconverted"].to_numpy(),
            unattributed_conversions=float(empty["conversions"].sum()),
            unattributed_revenue=float(empty["revenue"].sum()),
            rules=rules,
            **decayed,
        )

    def to_frame(self) -> pl.DataFrame:
        """The paths as :meth:`from_frame` reads them; an empty path holds what is unattributed."""
        columns: dict[str, pl.Series] = {
            "path": _lists(pl.Series(self.channels, dtype=pl.String).gather(self.touches), self.offsets),
            "conversions": pl.Series(self.conversions),
            "revenue": pl.Series(self.revenue),
            "unconverted": pl.Series(self.unconverted),
        }
        if self.decayed_conversions is not None and self.decayed_revenue is not None:
            columns["decayed_conversions"] = _lists(pl.Series(self.decayed_conversions), self.offsets)
            columns["decayed_revenue"] = _lists(pl.Series(self.decayed_revenue), self.offsets)
        frame = pl.DataFrame(columns)
        if not self.unattributed_conversions:
            return frame
        rest = {
            "path": [],
            "conversions": self.unattributed_conversions,
            "revenue": self.unattributed_revenue,
            "unconverted": 0.0,
            "decayed_conversions": [],
            "decayed_revenue": [],
        }
        row = pl.DataFrame({name: [rest[name]] for name in frame.columns}, schema=frame.schema)
        return pl.concat([frame, row])


def _lists(values: pl.Series, offsets: Integers) -> pl.Series:
    path = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    frame = pl.DataFrame({"path": path, "value": values})
    return frame.group_by("path", maintain_order=True).agg("value")["value"]
