"""What a plan must keep to: limits per campaign and channel, and of the whole, turned into bounds; errors that name them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

ROUNDING = 1e-9
"""Relative difference below which amounts of money are the same."""


class Bound(StrEnum):
    """What holds a campaign's spend where it is."""

    FREE = "free"
    LOCKED = "locked"
    MINIMUM = "minimum"
    MAXIMUM = "maximum"
    MAX_DECREASE = "max_decrease"
    MAX_INCREASE = "max_increase"
    MINIMUM_VIABLE = "minimum_viable"
    PAUSED = "paused"


_POSITIONS = {bound: np.int8(position) for position, bound in enumerate(Bound)}


class InfeasibleBudgetError(ValueError):
    """No plan keeps to all limits; ``constraints`` names those that contradict each other."""

    def __init__(self, message: str, constraints: tuple[str, ...]) -> None:
        super().__init__(f"{message} ({' against '.join(constraints)})")
        self.constraints = constraints


@dataclass(frozen=True)
class Limits:
    """Limits of a plan, in money per day; arrays have one entry per campaign, a number holds for all.

    ``minimum``, ``maximum``: of a campaign. ``current``: what it spends now; with it, ``max_change`` limits how far a plan
    moves it (0.3 is ±30 %; a campaign that spends nothing now can start), and ``locked`` ones stay there.
    ``minimum_viable``: a campaign spends at least that, or nothing. ``channel``: the number of its channel,
    0 to k − 1, with ``channel_minimum`` and ``channel_maximum`` per channel. ``cap``: of the tenant. ``pacing``: the
    most per day that the month's budget still allows (:attr:`Pacing.daily_budget`).
    """

    minimum: ArrayLike = 0.0
    maximum: ArrayLike = np.inf
    current: ArrayLike | None = None
    max_change: float | None = 0.3
    locked: ArrayLike = False
    minimum_viable: ArrayLike = 0.0
    channel: ArrayLike | None = None
    channel_minimum: ArrayLike = 0.0
    channel_maximum: ArrayLike = np.inf
    cap: float = np.inf
    pacing: float = np.inf


@dataclass(frozen=True)
class Bounds:
    """The limits as bounds: ``lower`` and ``upper`` per campaign, ``channel_lower`` and ``channel_upper`` per channel.

    ``least`` and ``most``: what the campaigns together can spend within them. ``viable``: minimum viable spend, or 0.
    """

    lower: Floats
    upper: Floats
    viable: Floats
    channel: NDArray[np.intp] | None
    channel_lower: Floats
    channel_upper: Floats
    least: float = field(init=False)
    most: float = field(init=False)

    def __post_init__(self) -> None:
        sums = self.lower, self.upper
        if self.channel is not None:
            low, high = (np.bincount(self.channel, each, len(self.channel_lower)).astype(np.float64) for each in sums)
            _check_channels(low, high, self.channel_lower, self.channel_upper)
            object.__setattr__(self, "channel_lower", np.maximum(low, self.channel_lower))
            object.__setattr__(self, "channel_upper", np.minimum(high, self.channel_upper))
            sums = self.channel_lower, self.channel_upper
        object.__setattr__(self, "least", float(sums[0].sum()))
        object.__setattr__(self, "most", float(sums[1].sum()))


def bounds_of(limits: Limits, campaigns: int) -> Bounds:
    """Turn limits into bounds. Raises InfeasibleBudgetError when a campaign or channel can't keep to its own."""
    lower = _per_campaign(limits.minimum, campaigns, "minimum").copy()
    upper = _per_campaign(limits.maximum, campaigns, "maximum", may_be_infinite=True).copy()
    viable = _per_campaign(limits.minimum_viable, campaigns, "minimum_viable")
    current = _current(limits, campaigns)
    if current is not None:
        if limits.max_change is not None:
            np.maximum(lower, current * (1 - limits.max_change), out=lower)
            np.minimum(upper, current * (1 + limits.max_change), out=upper, where=current > 0)
        locked = _locked(limits, campaigns)
        if locked is not None:
            _check_locked(limits, current, locked, campaigns)
            lower, upper = np.where(locked, current, lower), np.where(locked, current, upper)
            viable = np.where(locked, 0.0, viable)
    must_run = (lower > 0) & (lower < viable)
    if must_run.any():
        lower = np.where(must_run, viable, lower)
    if (lower > upper).any():
        _raise_crossed(limits, lower, upper, campaigns)
    channel, channels = _channels(limits, campaigns)
    return Bounds(
        lower=lower,
        upper=upper,
        viable=viable,
        channel=channel,
        channel_lower=_per_campaign(limits.channel_minimum, channels, "channel_minimum"),
        channel_upper=_per_campaign(limits.channel_maximum, channels, "channel_maximum", may_be_infinite=True),
    )


def check_total(bounds: Bounds, total: float, limits: Limits, *, is_ceiling: bool) -> float:
    """The total to plan for. Raises InfeasibleBudgetError when the campaigns can't spend it.

    A total that must be spent (not ``is_ceiling``) has to be within ``cap`` and ``pacing``; a ceiling is lowered to them.
    """
    if not 0 <= total < np.inf:
        raise ValueError(f"total is {total}; give a finite amount per day that is not negative.")
    for name, most in (("cap", limits.cap), ("pacing", limits.pacing)):
        if not most >= 0:
            raise ValueError(f"{name} is {most}; give an amount that is not negative.")
        if is_ceiling:
            total = min(total, most)
        elif total > most * (1 + ROUNDING):
            raise InfeasibleBudgetError(f"A total of {total:,.2f} exceeds the {name} of {most:,.2f}", ("total", name))
    if bounds.least > total * (1 + ROUNDING):
        constraints = (
            "total",
            *_causes(("minimum", "max_change", "minimum_viable", "locked", "channel_minimum"), limits),
        )
        message = f"Campaigns and channels must spend at least {bounds.least:,.2f}; the total is {total:,.2f}"
        raise InfeasibleBudgetError(message, constraints)
    if not is_ceiling and bounds.most < total * (1 - ROUNDING):
        constraints = ("total", *_causes(("maximum", "max_change", "locked", "channel_maximum"), limits))
        message = f"Campaigns and channels can spend at most {bounds.most:,.2f}; the total is {total:,.2f}"
        raise InfeasibleBudgetError(message, constraints)
    return total


def holding(limits: Limits, bounds: Bounds, spend: Floats) -> NDArray[np.int8]:
    """What holds each campaign, as the position of a :class:`Bound`."""
    held = np.zeros(len(spend), dtype=np.int8)

    def mark(which: NDArray[np.bool_], bound: Bound) -> None:
        # Arithmetic on bytes: several times as fast as assigning through a mask.
        np.add(held, which * (_POSITIONS[bound] - held), out=held)

    at_lower, at_upper = spend <= bounds.lower * (1 + ROUNDING), spend >= bounds.upper * (1 - ROUNDING)
    mark(at_upper, Bound.MAXIMUM)
    mark(at_lower, Bound.MINIMUM)
    current = _current(limits, len(spend))
    if current is not None and limits.max_change is not None:
        running = current > 0
        rises = at_upper & running & (spend >= current * (1 + limits.max_change) * (1 - ROUNDING))
        mark(rises, Bound.MAX_INCREASE)
        least = _per_campaign(limits.minimum, len(spend), "minimum")
        mark(at_lower & running & (current * (1 - limits.max_change) > least), Bound.MAX_DECREASE)
    if (bounds.viable > 0).any():
        has_least = bounds.viable > 0
        mark(has_least & (spend > 0) & (spend <= bounds.viable * (1 + ROUNDING)), Bound.MINIMUM_VIABLE)
        could_run = _per_campaign(limits.maximum, len(spend), "maximum", may_be_infinite=True) > 0
        mark(has_least & (spend == 0) & could_run, Bound.PAUSED)
    locked = _locked(limits, len(spend))
    if locked is not None:
        mark(locked, Bound.LOCKED)
    return held


def _per_campaign(values: ArrayLike, size: int, name: str, *, may_be_infinite: bool = False) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.shape not in ((), (size,)):
        raise ValueError(f"{name} has shape {array.shape}; give one number, or one for each of {size}.")
    least, most = (array.min(), array.max()) if array.size else (0.0, 0.0)
    if not (least >= 0 and (most < np.inf or (may_be_infinite and most == np.inf))):
        raise ValueError(
            f"{name} holds a negative, missing or infinite amount ({least} to {most}); give amounts of money."
        )
    return np.broadcast_to(array, (size,))


def _current(limits: Limits, campaigns: int) -> Floats | None:
    if limits.max_change is not None and not limits.max_change >= 0:
        raise ValueError(f"max_change is {limits.max_change}; give a share such as 0.3, or None for no limit.")
    if limits.current is None:
        if np.any(limits.locked):
            raise ValueError("Campaigns are locked, but current is not given; a lock keeps the current spend.")
        return None
    return _per_campaign(limits.current, campaigns, "current")


def _locked(limits: Limits, campaigns: int) -> NDArray[np.bool_] | None:
    locked = np.asarray(limits.locked, dtype=np.bool_)
    return np.broadcast_to(locked, (campaigns,)) if locked.any() else None


def _channels(limits: Limits, campaigns: int) -> tuple[NDArray[np.intp] | None, int]:
    if limits.channel is None:
        if np.any(limits.channel_minimum) or np.any(np.isfinite(limits.channel_maximum)):
            raise ValueError("Channels have limits, but channel is not given; say which channel each campaign is of.")
        return None, 0
    channel = np.asarray(limits.channel)
    if channel.shape != (campaigns,) or not np.issubdtype(channel.dtype, np.integer) or (channel < 0).any():
        raise ValueError(f"channel has shape {channel.shape} and type {channel.dtype}; number the channels from 0.")
    sizes = [np.size(each) for each in (limits.channel_minimum, limits.channel_maximum) if np.ndim(each)]
    channels = max([int(channel.max(initial=-1)) + 1, *sizes])
    return channel.astype(np.intp), channels


def _check_locked(limits: Limits, current: Floats, locked: NDArray[np.bool_], campaigns: int) -> None:
    """A lock outranks limits that are there to steer; it may not contradict the campaign's own minimum and maximum."""
    for name, values, sign in (("minimum", limits.minimum, 1), ("maximum", limits.maximum, -1)):
        array = _per_campaign(values, campaigns, name, may_be_infinite=name == "maximum")
        wrong = np.flatnonzero(locked & (sign * array > sign * current))
        if len(wrong):
            at = int(wrong[0])
            raise InfeasibleBudgetError(
                f"Campaign {at} is locked at {current[at]:,.2f}, its {name} is {array[at]:,.2f}", ("locked", name)
            )


def _raise_crossed(limits: Limits, lower: Floats, upper: Floats, campaigns: int) -> None:
    at = int(np.flatnonzero(lower > upper)[0])
    minimum, maximum = (
        float(_per_campaign(values, campaigns, name, may_be_infinite=True)[at])
        for name, values in (("minimum", limits.minimum), ("maximum", limits.maximum))
    )
    viable = float(_per_campaign(limits.minimum_viable, campaigns, "minimum_viable")[at])
    least = "minimum" if lower[at] == minimum else "minimum_viable" if lower[at] == viable else "max_change"
    most = "maximum" if upper[at] == maximum else "max_change"
    message = f"Campaign {at} must spend at least {lower[at]:,.2f} and at most {upper[at]:,.2f}"
    raise InfeasibleBudgetError(message, (least, most))


def _check_channels(low: Floats, high: Floats, least: Floats, most: Floats) -> None:
    for name, other, wrong, needs, has in (
        ("channel_minimum", "channel_maximum", least > most, least, most),
        ("channel_maximum", "minimum of its campaigns", low > most * (1 + ROUNDING), low, most),
        ("channel_minimum", "maximum of its campaigns", least > high * (1 + ROUNDING), least, high),
    ):
        if wrong.any():
            at = int(np.flatnonzero(wrong)[0])
            message = f"Channel {at} must spend at least {needs[at]:,.2f} and at most {has[at]:,.2f}"
            raise InfeasibleBudgetError(message, (name, other))


def _causes(names: tuple[str, ...], limits: Limits) -> tuple[str, ...]:
    """Those of the named limits that were given."""
    unlimited = Limits()

    def is_given(name: str) -> bool:
        if name == "max_change":
            return limits.current is not None and limits.max_change is not None
        return not np.array_equal(getattr(limits, name), getattr(unlimited, name))

    return tuple(name for name in names if is_given(name))
