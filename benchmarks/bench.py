"""What every benchmark is given: its scale, its repetitions, its scratch folder and a voice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.homes import Day, Scratch

EVENTS_OF_A_DAY = 10_000_000
EVENTS_OF_A_SMALL_DAY = 1_000_000
CUSTOMERS = 1_000_000


@dataclass(frozen=True)
class Bench:
    """The circumstances of one call. ``scale`` multiplies every number of events and customers."""

    scratch: Scratch
    scale: float
    repetitions: int
    say: Callable[[str], None]

    def scaled(self, count: int) -> int:
        """A number of events or customers at this scale."""
        return max(1, round(self.scale * count))

    def day(self, events: int, customers: int = CUSTOMERS, seed: int = 7) -> Day:
        """A simulated day at this scale."""
        return Day(self.scaled(events), self.scaled(customers), seed)

    @property
    def full_day(self) -> Day:
        """The day of the founding specification's scale."""
        return self.day(EVENTS_OF_A_DAY)

    @property
    def quarter(self) -> Day:
        """Ninety days of another company with as many events: fewer customers, more groups and days."""
        return Day(self.scaled(EVENTS_OF_A_DAY), self.scaled(200_000), days=90, campaigns=200)

    @property
    def small_day(self) -> Day:
        """The same company on a day with a tenth of the events."""
        return self.day(EVENTS_OF_A_SMALL_DAY)
