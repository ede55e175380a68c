"""When things happen: weekly, yearly and hourly rhythms, and the cutting of a world's time into files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from models_ml.simulation.ids import Array
from models_ml.simulation.world import DAY_MS, World

HOUR_MS = 3_600_000
MOST_LINES_PER_FILE = 500_000

WEEKDAYS = np.array([0.94, 0.92, 0.95, 1.00, 1.12, 1.16, 0.91])
"""Relative activity from Monday to Sunday."""

MONTHS = np.array([0.84, 0.88, 0.94, 0.97, 1.00, 0.96, 0.90, 0.92, 0.99, 1.04, 1.26, 1.34])
"""Relative activity from January to December."""


def _bell(peak: float, width: float) -> Array:
    """Hourly weights around a peak hour on the 24-hour circle, with a floor for the rest of the day; sum 1."""
    distance = np.abs((np.arange(24) + 0.5 - peak + 12) % 24 - 12)
    weights = 0.05 + np.exp(-0.5 * (distance / width) ** 2)
    return np.asarray(weights / weights.sum())


RHYTHM_NAMES = ("morning", "midday", "evening", "night")
RHYTHM_SHARES = np.array([0.25, 0.28, 0.35, 0.12])
RHYTHMS = np.stack([_bell(8.5, 1.8), _bell(13.0, 2.5), _bell(19.5, 2.2), _bell(22.5, 2.0)])
"""Share of a person's day in each hour (UTC), one row per rhythm."""

HOURS = RHYTHM_SHARES @ RHYTHMS
"""Share of the company's day in each hour."""


@dataclass(frozen=True)
class Part:
    """One event file's span of time, within one day.

    ``start`` and ``end`` in milliseconds since 1970; ``day`` counts from the world's first; ``share`` is its part of
    the day's activity (of what the world has of that day); ``begun`` and ``done`` are the parts of all the world's
    activity before its start and by its end.
    """

    index: int
    file: str
    day: int
    start: int
    end: int
    share: float
    begun: float
    done: float

    def portion(self, total: int) -> int:
        """The part's portion of ``total`` things; the portions of all parts sum to the total exactly."""
        return round(total * self.done) - round(total * self.begun)


def parts(world: World) -> tuple[Part, ...]:
    """Cut the world into files, in the order of time; activity follows the rhythms."""
    minutes = world.minutes_per_file or _minutes_per_file(world)
    starts = np.arange(world.start_ms, world.end_ms, minutes * 60_000)
    ends = np.minimum(starts + minutes * 60_000, world.end_ms)
    days = (starts - world.start_ms) // DAY_MS
    within = np.array([activity(start, end) for start, end in zip(starts.tolist(), ends.tolist(), strict=True)])
    weight = within * day_weights(world.first_day, world.days)[days]
    done = np.cumsum(weight) / weight.sum()
    begun = np.concatenate([[0.0], done[:-1]])
    share = within / np.bincount(days, within)[days]
    return tuple(
        Part(
            index=index,
            file=_file_name(world.first_day + timedelta(days=int(days[index])), minutes, int(starts[index])),
            day=int(days[index]),
            start=int(starts[index]),
            end=int(ends[index]),
            share=float(share[index]),
            begun=float(begun[index]),
            done=float(done[index]),
        )
        for index in range(len(starts))
    )


def day_weights(first: date, days: int) -> Array:
    """Relative activity of each day."""
    calendar = [first + timedelta(days=day) for day in range(days)]
    return np.array([WEEKDAYS[day.weekday()] * MONTHS[day.month - 1] for day in calendar])


def activity(start: int, end: int) -> float:
    """Share of a whole day's activity that falls between two instants of one day."""
    return float(HOURS @ hour_overlap(start, end))


def hour_overlap(start: int, end: int) -> Array:
    """How much of each of the day's 24 hours lies between two instants of that day, 0..1."""
    hours = start - start % DAY_MS + np.arange(24) * HOUR_MS
    overlap = np.minimum(hours + HOUR_MS, end) - np.maximum(hours, start)
    return np.asarray(np.clip(overlap, 0, None) / HOUR_MS)


def _minutes_per_file(world: World) -> int:
    weights = day_weights(world.first_day, world.days)
    lines = world.events * weights.max() / weights.sum()
    for minutes in (1440, 60, 15, 5):
        if lines * (1 if minutes == 1440 else HOURS.max() * minutes / 60) <= MOST_LINES_PER_FILE:
            return minutes
    return 1


def _file_name(day: date, minutes: int, start: int) -> str:
    if minutes == 1440:
        return f"events-{day}"
    minute = start % DAY_MS // 60_000
    return f"events-{day}-{minute // 60:02d}{minute % 60:02d}"
