"""The parameters of a simulated company and nothing else; two equal worlds give equal bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import numpy as np

from models_ml.simulation.ids import stream_key

DAY_MS = 86_400_000

BAD_SHARES: Mapping[str, float] = dict.fromkeys(
    (
        "malformed_json",
        "missing_id",
        "invalid_uuid",
        "unknown_event_type",
        "invalid_source",
        "invalid_timestamp",
        "timestamp_in_future",
        "timestamp_too_old",
        "negative_amount",
        "score_out_of_range",
        "schema_violation",
    ),
    0.0004,
)
"""Default share of the lines that are rejected for each reason; repeats and over-long lines have their own parameters."""


@dataclass(frozen=True)
class World:
    """What is simulated. All times are relative to ``end``; nothing reads a clock.

    ``end``: the first instant that has not happened yet (with a zone). ``days``: UTC calendar days that end with the
    day of ``end``, that day included as far as it has gone. ``events``: lines over all event files, repeated and bad
    ones included. Shares are 0..1 of all lines, except ``holdout_share``, which is of a campaign's audience.
    ``oversized_lines``: number of lines over 1 MiB (at most one line in a thousand). ``minutes_per_file``: length of a
    file, a divisor of 1440; by default a day, or less where a day would hold more than half a million lines.

    Raises ValueError for a value outside its range.
    """

    end: datetime
    seed: int = 7
    days: int = 90
    customers: int = 5_000
    events: int = 300_000
    campaigns: int = 24
    holdout_share: float = 0.1
    late_share: float = 0.01
    repeat_share: float = 0.005
    bad_shares: Mapping[str, float] = field(default_factory=lambda: dict(BAD_SHARES))
    oversized_lines: int = 3
    minutes_per_file: int | None = None

    def __post_init__(self) -> None:
        if self.end.tzinfo is None:
            raise ValueError(f"end is {self.end}, without a zone; give an instant such as 2025-06-30T23:59:59Z.")
        for name, least in (
            ("seed", 0),
            ("days", 1),
            ("customers", 1),
            ("events", 1),
            ("campaigns", 0),
            ("oversized_lines", 0),
        ):
            value = getattr(self, name)
            if value < least:
                raise ValueError(f"{name} is {value}; it must be at least {least}.")
        unknown = set(self.bad_shares) - set(BAD_SHARES)
        if unknown:
            raise ValueError(f"bad_shares names {sorted(unknown)}; known are {sorted(BAD_SHARES)}.")
        shares = {"holdout_share": self.holdout_share, "late_share": self.late_share, "repeat_share": self.repeat_share}
        for name, share in {**shares, **self.bad_shares}.items():
            if not 0 <= share <= 0.9:
                raise ValueError(f"{name} is {share}; it must lie between 0 and 0.9.")
        if sum(self.bad_shares.values()) + self.repeat_share > 0.9:
            raise ValueError("bad_shares and repeat_share sum to more than 0.9; leave room for clean lines.")
        if self.minutes_per_file is not None and (self.minutes_per_file < 1 or 1440 % self.minutes_per_file):
            raise ValueError(f"minutes_per_file is {self.minutes_per_file}; it must divide 1440.")

    @property
    def end_ms(self) -> int:
        """The end in milliseconds since 1970."""
        return int(self.end.timestamp() * 1000)

    @property
    def first_day(self) -> date:
        """The first simulated calendar day."""
        last = (self.end.astimezone(UTC) - timedelta(milliseconds=1)).date()
        return last - timedelta(days=self.days - 1)

    @property
    def start_ms(self) -> int:
        """Midnight of the first day in milliseconds since 1970."""
        return (self.first_day - date(1970, 1, 1)).days * DAY_MS

    @property
    def bad_lines(self) -> Mapping[str, int]:
        """How many lines are rejected for each reason."""
        counts = {reason: round(share * self.events) for reason, share in self.bad_shares.items()}
        return counts | {"line_too_long": min(self.oversized_lines, self.events // 1000)}

    @property
    def repeated_lines(self) -> int:
        """How many lines repeat an event id."""
        return round(self.repeat_share * self.events)

    @property
    def clean_events(self) -> int:
        """How many lines carry an event of their own that nothing is wrong with."""
        return max(self.events - self.repeated_lines - sum(self.bad_lines.values()), 0)

    def rng(self, *stream: int | str) -> np.random.Generator:
        """The random numbers of one named stream; streams are independent of each other."""
        return np.random.default_rng(stream_key(self.seed, *stream))
