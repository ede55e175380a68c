"""Customers' ways to a conversion or to none: which touches belong to them, and how equal ways are counted together."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import timedelta
from enum import StrEnum

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Repeats(StrEnum):
    """What a path keeps of repeated channels; names as in Google's and Snowplow's fractribution.

    ``unique``: every touch counts for itself. ``exposure``: a run of one channel counts once, as its latest touch.
    ``first``: a channel counts once, as its first touch.
    """

    UNIQUE = "unique"
    EXPOSURE = "exposure"
    FIRST = "first"


@dataclass(frozen=True)
class PathRules:
    """What makes touches a path. Applied in this order.

    ``kinds``: the kinds of touches that count (spec 01: opened and clicked). ``level``: the column that says what is
    credited, such as ``channel`` or ``campaign_id``. ``lookback``: a touch counts if it is at most this long before the
    conversion, both ends included. ``one_per_session``: only a session's first touch counts. ``remove_if_not_only``:
    channels dropped from a path that has others too (for instance ``direct``). ``remove_if_last_and_not_only``:
    channels dropped from the end of such a path. ``repeats``: see :class:`Repeats`. ``half_life`` of the credit under
    time decay.

    Raises ValueError for a span of time that is not positive and for no kinds at all.
    """

    kinds: frozenset[str] = frozenset({"view", "click"})
    level: str = "channel"
    lookback: timedelta = timedelta(days=30)
    one_per_session: bool = False
    remove_if_not_only: frozenset[str] = frozenset()
    remove_if_last_and_not_only: frozenset[str] = frozenset()
    repeats: Repeats = Repeats.EXPOSURE
    half_life: timedelta = timedelta(days=7)

    def __post_init__(self) -> None:
        for name in ("lookback", "half_life"):
            if getattr(self, name) <= timedelta(0):
                raise ValueError(f"{name} is {getattr(self, name)}; it must be longer than nothing.")
        if not self.kinds:
            raise ValueError("kinds is empty; name at least one kind of touch, such as click.")

    def changes_from(self, earlier: PathRules) -> tuple[str, ...]:
        """The rules that differ, each as ``name: earlier → now``."""
        pairs = ((field.name, getattr(earlier, field.name), getattr(self, field.name)) for field in fields(self))
        return tuple(f"{name}: {_shown(before)} → {_shown(now)}" for name, before, now in pairs if before != now)


DEFAULT_RULES = PathRules()


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
        channels, codes = _coded(labels)
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


def collect_paths(touches: pl.DataFrame, conversions: pl.DataFrame, rules: PathRules = DEFAULT_RULES) -> Paths:
    """Find the touches before each conversion and count equal paths together.

    ``touches``: one row each with ``touch_id``, ``user_id``, ``occurred_at``, ``kind``, the column named by
    ``rules.level``, and ``session_id`` if one touch per session counts (touches without a session count for
    themselves). ``conversions``: ``conversion_id``, ``user_id``, ``occurred_at``, ``revenue``. Rows in any order;
    instants in any one zone, exact to the microsecond.

    Every conversion has a path of its own, made of all touches in its look-back window, be they in another's window
    too. Touches in no conversion's window make paths without a conversion: from a user's first such touch on, one for
    each stretch of time as long as the window. Touches of the same instant are ordered by ``touch_id``: as arbitrary as
    ids are, so that no channel is favored, and the same in every run.

    Raises ValueError for missing columns, nulls, repeated ids, and revenue below 0, NaN or infinite.
    """
    stream, ends = _touch_stream(touches, rules), _conversions(conversions)
    lookback = rules.lookback // timedelta(microseconds=1)
    first, last = _window(stream, ends, lookback)
    has_touch = first <= last
    lengths = np.where(has_touch, last - first + 1, 0)
    claimed = _ranges(first[has_touch], lengths[has_touch])
    free = _unclaimed(stream, claimed, lookback)
    converting = int(has_touch.sum())
    rows = np.concatenate([claimed, free.row])
    at = stream["at"].to_numpy()
    channels, codes = _coded(stream["channel"])
    steps = _Steps(
        journey=np.concatenate([np.repeat(np.arange(converting), lengths[has_touch]), converting + free.journey]),
        channel=codes[rows],
        age=np.concatenate([np.repeat(ends["at"].to_numpy(), lengths) - at[claimed], np.zeros(len(free.row))]),
        row=rows,
    )
    journeys = converting + free.journeys
    revenue = ends["revenue"].to_numpy()
    return _aggregate(
        _transform(steps, journeys, stream, channels, rules),
        channels=channels,
        conversions=np.arange(journeys) < converting,
        revenue=np.concatenate([revenue[has_touch], np.zeros(free.journeys)]),
        unattributed=revenue[~has_touch],
        rules=rules,
    )


@dataclass(frozen=True)
class _Steps:
    """The touches of journeys, journey after journey in the order of time; ``row`` points into the stream of touches."""

    journey: Integers
    channel: Integers
    age: Floats
    row: Integers

    def keep(self, flags: Flags) -> _Steps:
        return _Steps(self.journey[flags], self.channel[flags], self.age[flags], self.row[flags])


@dataclass(frozen=True)
class _Unclaimed:
    row: Integers
    journey: Integers
    journeys: int


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


def require_columns(name: str, frame: pl.DataFrame, columns: Collection[str]) -> None:
    """Raise ValueError if the frame called ``name`` lacks one of the columns."""
    absent = [column for column in columns if column not in frame.columns]
    if absent:
        raise ValueError(f"{name} lacks {', '.join(absent)}; it has {', '.join(frame.columns)}.")


def _touch_stream(touches: pl.DataFrame, rules: PathRules) -> pl.DataFrame:
    needed = ["touch_id", "user_id", "occurred_at", "kind", rules.level, *["session_id"] * rules.one_per_session]
    require_columns("touches", touches, needed)
    counted = touches.filter(pl.col("kind").is_in(list(rules.kinds)))
    _refuse_gaps("touches", counted, "touch_id", ("user_id", "occurred_at", rules.level))
    channel = pl.col(rules.level).cast(pl.String).alias("channel")
    session = ["session_id"] * rules.one_per_session
    chosen = counted.select("user_id", "touch_id", channel, *session, _microseconds("touches", counted))
    return chosen.sort("user_id", "at", "touch_id")


def _conversions(conversions: pl.DataFrame) -> pl.DataFrame:
    require_columns("conversions", conversions, ("conversion_id", "user_id", "occurred_at", "revenue"))
    _refuse_gaps("conversions", conversions, "conversion_id", ("user_id", "occurred_at", "revenue"))
    revenue = conversions["revenue"].cast(pl.Float64)
    bad = revenue.filter(~(revenue.is_finite() & (revenue >= 0)))
    if len(bad):
        raise ValueError(f"conversions has a revenue of {bad[0]}; it must be finite and at least 0.")
    chosen = conversions.select("user_id", revenue, "conversion_id", _microseconds("conversions", conversions))
    return chosen.sort("user_id", "at", "conversion_id")


def _refuse_gaps(name: str, frame: pl.DataFrame, key: str, columns: Collection[str]) -> None:
    for column in (key, *columns):
        if frame[column].null_count():
            raise ValueError(f"{name} has a null in {column}; fill it or leave the row out.")
    if frame[key].n_unique() < len(frame):
        repeated = frame.filter(pl.col(key).is_duplicated())[key][0]
        raise ValueError(f"{name} has {key} {repeated} more than once; keep one row of it.")


def _microseconds(name: str, frame: pl.DataFrame) -> pl.Series:
    if not isinstance(frame.schema["occurred_at"], pl.Datetime):
        raise ValueError(f"{name} has occurred_at of the type {frame.schema['occurred_at']}; it must be a datetime.")
    return frame["occurred_at"].dt.epoch("us").alias("at")


def _window(stream: pl.DataFrame, ends: pl.DataFrame, lookback: int) -> tuple[Integers, Integers]:
    """First and last row of the stream in each conversion's window; last before first where there is none."""
    touches = stream.select("user_id", "at").with_row_index("row")
    opened = ends.select("user_id", pl.col("at") - lookback)
    first = opened.join_asof(touches, on="at", by="user_id", strategy="forward", check_sortedness=False)["row"]
    last = ends.join_asof(touches, on="at", by="user_id", strategy="backward", check_sortedness=False)["row"]
    return first.cast(pl.Int64).fill_null(len(touches)).to_numpy(), last.cast(pl.Int64).fill_null(-1).to_numpy()


def _unclaimed(stream: pl.DataFrame, claimed: Integers, lookback: int) -> _Unclaimed:
    # No such path reaches across a conversion: the touch before it lies more than a look-back window before it.
    is_free = np.ones(len(stream), dtype=np.bool_)
    is_free[claimed] = False
    row = np.flatnonzero(is_free)
    spans = (pl.col("at") - pl.col("at").first().over("user_id")) // lookback
    journey = stream[row].select((pl.struct("user_id", spans).rle_id()).cast(pl.Int64).alias("journey"))["journey"]
    return _Unclaimed(row, journey.to_numpy(), int(journey.n_unique()))


def _ranges(first: Integers, lengths: Integers) -> Integers:
    """The numbers ``first[i] … first[i] + lengths[i] - 1`` of all ``i``, one after the other."""
    before = np.cumsum(lengths) - lengths
    return np.repeat(first - before, lengths) + np.arange(int(lengths.sum()))


def _transform(
    steps: _Steps, journeys: int, stream: pl.DataFrame, channels: tuple[str, ...], rules: PathRules
) -> _Steps:
    if rules.one_per_session:
        session = pl.DataFrame({"journey": steps.journey, "session": stream["session_id"].gather(steps.row)})
        is_first = pl.struct("journey", "session").is_first_distinct() | pl.col("session").is_null()
        steps = steps.keep(session.select(is_first.alias("kept"))["kept"].to_numpy())
    if rules.remove_if_not_only:
        other = _are_outside(rules.remove_if_not_only, steps, channels)
        has_other = sum_by(steps.journey, other, journeys) > 0
        steps = steps.keep(other | ~has_other[steps.journey])
    if rules.remove_if_last_and_not_only:
        others = np.flatnonzero(_are_outside(rules.remove_if_last_and_not_only, steps, channels))
        last_other = np.full(journeys, -1)
        last_other[steps.journey[others]] = others  # of several, the last one stays
        end = last_other[steps.journey]
        steps = steps.keep((end < 0) | (np.arange(len(end)) <= end))
    if rules.repeats is Repeats.EXPOSURE and len(steps.row):
        ends_run = (np.diff(steps.journey) != 0) | (np.diff(steps.channel) != 0)
        steps = steps.keep(np.append(ends_run, True))
    if rules.repeats is Repeats.FIRST:
        steps = steps.keep(pl.Series(steps.journey * len(channels) + steps.channel).is_first_distinct().to_numpy())
    return steps


def _are_outside(names: frozenset[str], steps: _Steps, channels: tuple[str, ...]) -> Flags:
    return np.array([channel not in names for channel in channels], dtype=np.bool_)[steps.channel]


def _aggregate(
    steps: _Steps,
    *,
    channels: tuple[str, ...],
    conversions: Flags,
    revenue: Floats,
    unattributed: Floats,
    rules: PathRules,
) -> Paths:
    by_journey = pl.DataFrame({"journey": steps.journey, "channel": steps.channel})
    journeys = by_journey.group_by("journey", maintain_order=True).agg(pl.col("channel").alias("path"))
    paths = journeys.group_by("path", maintain_order=True).agg("journey").with_row_index("index")
    belongs = paths.select("index", "journey").explode("journey")
    path_of_journey = np.empty(len(conversions), dtype=np.int64)
    path_of_journey[belongs["journey"].to_numpy()] = belongs["index"].to_numpy()
    lengths = paths["path"].list.len().to_numpy().astype(np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths)])

    def per_path(weights: NDArray[np.number | np.bool_]) -> Floats:
        return sum_by(path_of_journey, weights, len(paths))

    share = _decayed_shares(steps, len(conversions), rules.half_life)
    touches = np.bincount(steps.journey, minlength=len(conversions))
    position = np.arange(len(steps.journey)) - np.repeat(np.cumsum(touches) - touches, touches)
    slot = offsets[path_of_journey[steps.journey]] + position
    return Paths(
        channels=channels,
        touches=paths["path"].explode().cast(pl.Int64).to_numpy(),
        offsets=offsets,
        conversions=per_path(conversions),
        revenue=per_path(revenue),
        unconverted=per_path(~conversions),
        decayed_conversions=sum_by(slot, share * conversions[steps.journey], offsets[-1]),
        decayed_revenue=sum_by(slot, share * revenue[steps.journey], offsets[-1]),
        unattributed_conversions=float(len(unattributed)),
        unattributed_revenue=float(unattributed.sum()),
        rules=rules,
    )


def _decayed_shares(steps: _Steps, journeys: int, half_life: timedelta) -> Floats:
    """2^(-age / half-life), divided by its sum over the journey."""
    # Measured from the journey's youngest touch, whose weight is then 1: old journeys do not underflow.
    youngest = np.full(journeys, np.inf)
    np.minimum.at(youngest, steps.journey, steps.age)
    weight = np.exp2((youngest[steps.journey] - steps.age) / (half_life / timedelta(microseconds=1)))
    return np.asarray(weight / sum_by(steps.journey, weight, journeys)[steps.journey])


def _coded(labels: pl.Series) -> tuple[tuple[str, ...], Integers]:
    """The distinct labels in order, and each label's position among them."""
    distinct = labels.unique().sort()
    return tuple(distinct.to_list()), labels.cast(pl.Enum(distinct)).to_physical().cast(pl.Int64).to_numpy()


def _lists(values: pl.Series, offsets: Integers) -> pl.Series:
    path = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    frame = pl.DataFrame({"path": path, "value": values})
    return frame.group_by("path", maintain_order=True).agg("value")["value"]


def _shown(value: object) -> str:
    return ", ".join(sorted(value)) or "none" if isinstance(value, frozenset) else str(value)
