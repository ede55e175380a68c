"""From a world to files: a company's event files and references with the truth beside them, or a slice of its time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl

from models_ml.simulation.blemishes import LINE_SCHEMA, Blemishes
from models_ml.simulation.company import Company, make_company
from models_ml.simulation.files import Compression, EventFiles
from models_ml.simulation.lines import Scribe
from models_ml.simulation.pool import Columns, join
from models_ml.simulation.references import order_items, references
from models_ml.simulation.seasons import HOUR_MS, Part, activity, parts
from models_ml.simulation.stream import Stream
from models_ml.simulation.truth import FileTruth, Truth, make_truth
from models_ml.simulation.wording import EventContract, Wording
from models_ml.simulation.world import DAY_MS, World

BATCH_LINES = 200_000
"""Lines that are put into words together; a compromise between speed and memory."""

Progress = Callable[[int, int], None]


def write_company(
    world: World,
    contract: EventContract,
    out: Path,
    *,
    compression: Compression | None = None,
    progress: Progress | None = None,
) -> Truth:
    """Simulate a world and write it below ``out``: event files, reference files, and the truth in ``out/truth``.

    ``progress`` is called with the lines made so far and in all. Equal worlds give equal bytes; the memory that it
    takes grows with customers and campaigns, not with events.
    """
    out.mkdir(parents=True, exist_ok=True)
    company, wording = make_company(world), Wording(contract)
    name = ("company", world.days, world.events)
    stream, plan = Stream(company, wording, *name), parts(world)
    files = EventFiles(out, [part.file for part in plan], world.end_ms, compression)
    press = _Press(company, wording, plan, files, name)
    with _ItemFile(out / "order_items.csv", company) as items:
        for part in plan:
            events, sold = stream.advance(part, part.portion(world.clean_events))
            items.append(sold)
            press.add(part, events)
            if progress:
                progress(round(part.done * world.events), world.events)
        press.close()
    for reference, frame in references(company, stream.ledger, stream.acquired_by).items():
        frame.write_csv(out / f"{reference}.csv")
    truth = make_truth(company, stream.ledger, press.files.truths, press.files.marked_lines())
    truth.write(out / "truth")
    return truth


def true_lift(world: World, contract: EventContract) -> pl.DataFrame:
    """What the messages of a world truly change, as ``Truth.lift`` has it, but by number of campaign; nothing is written.

    The same as that of :func:`write_company` for an equal world.
    """
    stream = Stream(make_company(world), Wording(contract), "company", world.days, world.events)
    for part in parts(world):
        stream.advance(part, part.portion(world.clean_events))
    return stream.ledger.lift()


def write_slice(
    world: World,
    contract: EventContract,
    path: Path,
    *,
    start: datetime,
    seconds: int,
    events: int,
    number: int = 1,
    hours_before: int = 6,
) -> FileTruth:
    """Write ``events`` more lines of a short span of a world's time, with ids of their own, as one file at ``path``.

    Customers, campaigns and arms are the world's; slices of different ``number`` differ. The hours before are lived
    through at the same pace, but not written, so that the slice has its share of opens, clicks and conversions.
    Meant as the batch that comes on top of a written world; it has no part in that world's truth.

    Raises ValueError when the slice does not lie within one day of the world, or the path does not end with .jsonl.
    """
    begin = int(start.astimezone(UTC).timestamp() * 1000)
    end = begin + seconds * 1000
    within_a_day = world.start_ms <= begin and end <= world.end_ms and begin // DAY_MS == (end - 1) // DAY_MS
    if not within_a_day or path.suffix != ".jsonl":
        raise ValueError(
            f"{seconds} s from {start} as {path.name}: a slice is within a day of the world and a .jsonl file."
        )
    day, name, wording = (begin - world.start_ms) // DAY_MS, ("slice", number, begin), Wording(contract)
    slice_world = replace(world, end=datetime.fromtimestamp(end / 1000, UTC), days=day + 1, events=events)
    company = replace(make_company(world), world=slice_world)
    stream = Stream(company, wording, *name, position=world.customers // 2)
    clean = slice_world.clean_events
    for hour in range(begin - min(hours_before * HOUR_MS, begin % DAY_MS), begin, HOUR_MS):
        stop = min(hour + HOUR_MS, begin)
        before = Part(hour, "", day, hour, stop, activity(hour, stop), 0.0, 0.0)
        stream.advance(before, round(clean * (stop - hour) / (end - begin)))
    part = Part(0, path.stem, day, begin, end, activity(begin, end), 0.0, 1.0)
    press = _Press(company, wording, (part,), EventFiles(path.parent, [path.stem], end), name)
    press.add(part, stream.advance(part, clean)[0])
    press.close()
    return press.files.truths[0]


class _Press:
    """Collects the events of parts into batches, puts them into words, spoils some, and has them written."""

    def __init__(
        self, company: Company, wording: Wording, plan: tuple[Part, ...], files: EventFiles, name: tuple[int | str, ...]
    ) -> None:
        self._starts = np.array([part.start for part in plan])
        self._scribe = Scribe(wording, company, *name)
        self._blemishes = Blemishes(company, self._starts, *name)
        self._batch: list[tuple[Part, dict[str, Columns]]] = []
        self._size = 0
        self._held = pl.DataFrame(schema=LINE_SCHEMA)
        self.files = files

    def add(self, part: Part, events: dict[str, Columns]) -> None:
        """Take in the events of the next part."""
        self._batch.append((part, events))
        self._size += sum(len(columns["time"]) for columns in events.values())
        if self._size >= BATCH_LINES:
            self._print()

    def close(self) -> None:
        """Print what is left."""
        if self._batch:
            self._print()

    def _print(self) -> None:
        """Write the files of the batch's parts; what arrives later is held back for theirs."""
        first, last = self._batch[0][0], self._batch[-1][0]
        lines = self._blemishes.spoil(self._lines(), first, last)
        lines = pl.concat([self._held, lines])
        arrival = lines["arrival"].to_numpy()
        arrived = arrival < last.end
        self._held = lines.filter(pl.Series(~arrived))
        file = np.searchsorted(self._starts, arrival[arrived], side="right") - 1
        self.files.write(lines.filter(pl.Series(arrived)), file)
        self._batch, self._size = [], 0

    def _lines(self) -> pl.DataFrame:
        """The batch's clean lines."""
        columns: dict[str, list[Columns]] = defaultdict(list)
        for _, events in self._batch:
            for kind, found in events.items():
                columns[kind].append(found)
        written = [self._written(kind, join(found)) for kind, found in sorted(columns.items())]
        return pl.concat([pl.DataFrame(schema=LINE_SCHEMA), *written])

    def _written(self, kind: str, columns: Columns) -> pl.DataFrame:
        size = len(columns["time"])
        return pl.DataFrame(
            {
                "line": self._scribe.lines(kind, columns).cast(pl.Binary),
                "user": columns["user"],
                "time": columns["time"],
                "arrival": columns["time"],
                "mark": np.zeros(size, dtype=np.int8),
                "reasons": pl.repeat(None, size, dtype=pl.List(pl.String), eager=True),
            },
            schema=LINE_SCHEMA,
        )


class _ItemFile:
    """The reference ``order_items``, written as orders are made; it has its name only when all of them are there."""

    def __init__(self, path: Path, company: Company) -> None:
        self._path = path
        self._part = path.with_name(path.name + ".part")
        self._company = company

    def __enter__(self) -> Self:
        self._file = self._part.open("wb")
        self._is_empty = True
        return self

    def append(self, items: pl.DataFrame) -> None:
        """Add the items of a part's orders."""
        if len(items):
            order_items(self._company, items).write_csv(self._file, include_header=self._is_empty)
            self._is_empty = False

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        self._file.close()
        if failure or self._is_empty:
            self._part.unlink()
        else:
            self._part.replace(self._path)
