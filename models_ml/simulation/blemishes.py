"""What goes wrong on the way: lines that come late, come twice, or come broken; each known by its mark."""

from __future__ import annotations

import numpy as np
import polars as pl

from models_ml.simulation.bad_lines import BadLines
from models_ml.simulation.company import Company
from models_ml.simulation.ids import Array
from models_ml.simulation.lines import user_ids
from models_ml.simulation.seasons import Part
from models_ml.simulation.world import DAY_MS

MARKS = (
    "clean",
    "late",
    "repeat",
    "changed_repeat",
    "repeat_in_later_file",
    "changed_repeat_in_later_file",
    "rejected",
)
"""What a line is; ``late`` ones are clean, too."""

LINE_SCHEMA = pl.Schema(
    {
        "line": pl.Binary(),
        "user": pl.Int64(),
        "time": pl.Int64(),
        "arrival": pl.Int64(),
        "mark": pl.Int8(),
        "reasons": pl.List(pl.String()),
    }
)
"""Lines on their way: when the event happened, when the line is written, its mark, and why it is to be rejected."""

_CLEAN, _LATE, _REPEAT, _CHANGED, _LATER, _REJECTED = 0, 1, 2, 1, 2, 6
_LATE_DAYS = (2.0, 5.0)
_AWAY_DAYS = (1.0, 3.0)
_BEGIN_OF_PROPERTIES = '"properties":{"'
_REVISED_PROPERTIES = '"properties":{"revision":2,"'


class Blemishes:
    """Spoils the lines of a company, in the shares that its world asks for."""

    def __init__(self, company: Company, starts: Array, *stream: int | str) -> None:
        self._world = company.world
        self._starts = starts
        self._rng = company.world.rng("blemishes", *stream)
        self._bad = BadLines(company.world.rng("bad", *stream))
        self._users = user_ids(company)

    def spoil(self, lines: pl.DataFrame, first: Part, last: Part) -> pl.DataFrame:
        """The lines of the parts from ``first`` to ``last``, some to arrive later, with repeats and bad lines added."""
        if lines.is_empty():
            return lines
        lines = self._delay(lines)
        repeats = _portion(self._world.repeated_lines, first, last)
        bad = {reason: _portion(count, first, last) for reason, count in self._world.bad_lines.items()}
        return pl.concat([lines, *self._repeat(lines, repeats), *self._break(lines, bad)])

    def _delay(self, lines: pl.DataFrame) -> pl.DataFrame:
        """Some lines arrive days after they happened, as far as the world lasts."""
        size = len(lines)
        arrival = lines["time"].to_numpy() + (self._rng.uniform(*_LATE_DAYS, size) * DAY_MS).astype(np.int64)
        late = (self._rng.random(size) < self._world.late_share) & (arrival < self._world.end_ms)
        return lines.with_columns(
            arrival=pl.Series(np.where(late, arrival, lines["time"].to_numpy())),
            mark=pl.Series(np.where(late, _LATE, _CLEAN).astype(np.int8)),
        )

    def _repeat(self, lines: pl.DataFrame, count: int) -> list[pl.DataFrame]:
        """Copies with the same id, soon after or days later, word for word or with a revision."""
        if not count:
            return []
        copies = lines[self._rng.choice(len(lines), count, replace=count > len(lines), shuffle=False)]
        changed = self._rng.random(count) < 0.5
        arrival = copies["arrival"].to_numpy()
        file_end = np.append(self._starts[1:], self._world.end_ms)[self._file(arrival)]
        soon = np.minimum(arrival + self._rng.integers(1_000, 120_000, count), file_end - 1)
        away = arrival + (self._rng.uniform(*_AWAY_DAYS, count) * DAY_MS).astype(np.int64)
        goes_away = (self._rng.random(count) < 0.5) & (away < self._world.end_ms)
        revised = pl.col("line").cast(pl.String).str.replace(_BEGIN_OF_PROPERTIES, _REVISED_PROPERTIES, literal=True)
        mark = (_REPEAT + changed * _CHANGED + goes_away * _LATER).astype(np.int8)
        marked = copies.with_columns(arrival=pl.Series(np.where(goes_away, away, soon)), mark=pl.Series(mark))
        return [marked.with_columns(line=pl.when(pl.Series(changed)).then(revised.cast(pl.Binary)).otherwise("line"))]

    def _break(self, lines: pl.DataFrame, counts: dict[str, int]) -> list[pl.DataFrame]:
        """Bad lines, by users and at times of clean ones."""
        reasons = [reason for reason, count in counts.items() for _ in range(count)]
        chosen = lines[self._rng.integers(0, len(lines), len(reasons))]
        made = [
            self._bad.make(reason, user, time)
            for reason, user, time in zip(reasons, self._users.gather(chosen["user"]), chosen["time"], strict=True)
        ]
        broken = pl.DataFrame(
            {
                "line": [line for line, _ in made],
                "user": chosen["user"],
                "time": chosen["time"],
                "arrival": chosen["time"],
                "mark": [_REJECTED] * len(made),
                "reasons": [list(why) for _, why in made],
            },
            schema=LINE_SCHEMA,
        )
        return [broken]

    def _file(self, arrival: Array) -> Array:
        return np.searchsorted(self._starts, arrival, side="right") - 1


def _portion(total: int, first: Part, last: Part) -> int:
    return round(total * last.done) - round(total * first.begun)
