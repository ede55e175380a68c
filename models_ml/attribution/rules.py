"""What makes touches a path: which count, how far back, and what becomes of repeated and of unwanted ones."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta
from enum import StrEnum


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


def _shown(value: object) -> str:
    return ", ".join(sorted(value)) or "none" if isinstance(value, frozenset) else str(value)
