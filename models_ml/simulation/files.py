"""Event files: lines in the order of their arrival, cut by time, written whole or not at all, and counted."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
import pyarrow as pa

from models_ml.simulation.blemishes import MARKS
from models_ml.simulation.ids import Array
from models_ml.simulation.truth import FileTruth
from models_ml.simulation.world import DAY_MS

Compression = Literal["gz", "zst"]
_ACCEPTED = [MARKS.index(mark) for mark in MARKS if mark in ("clean", "late") or mark.endswith("later_file")]
_CODECS = {"gz": "gzip", "zst": "zstd"}


class EventFiles:
    """Writes the lines of all files, which must come in the order of the files, and counts what each holds."""

    def __init__(self, folder: Path, names: list[str], end: int, compression: Compression | None = None) -> None:
        self._folder = folder
        self._suffix = ".jsonl" if compression is None else f".jsonl.{compression}"
        self._codec = None if compression is None else _CODECS[compression]
        self._names = names
        self._end = end
        self._marked: list[pl.DataFrame] = []
        self.truths: list[FileTruth] = []

    def write(self, lines: pl.DataFrame, file: Array) -> None:
        """Write the files whose lines these are: ``file`` numbers them, and every file comes whole, in one call."""
        order = np.lexsort((lines["arrival"].to_numpy(), file))
        lines, file = lines[order], file[order]
        text = lines["line"].to_arrow(compat_level=pl.CompatLevel.oldest())
        _, offsets, data = text.buffers()
        starts = np.frombuffer(offsets, dtype=np.int64)[text.offset :]
        for number in np.unique(file).tolist():
            begin, stop = np.searchsorted(file, [number, number + 1]).tolist()
            name = self._names[number] + self._suffix
            _write(self._folder / name, data[int(starts[begin]) : int(starts[stop])], self._codec)
            self._count(name, lines[begin:stop])

    def marked_lines(self) -> pl.DataFrame:
        """Every line that is not plainly clean: file, line number (from 1), mark and reasons."""
        return pl.concat(self._marked)

    def _count(self, name: str, lines: pl.DataFrame) -> None:
        counts = np.bincount(lines["mark"].to_numpy(), minlength=len(MARKS)).tolist()
        clean, late, repeats, changed, away, changed_away, rejected = counts
        by_reason = lines["reasons"].drop_nulls().explode().value_counts().sort("reasons")
        mark = pl.col("mark")
        older = (pl.col("time") < self._end - DAY_MS) & mark.is_in(_ACCEPTED)
        self.truths.append(
            FileTruth(
                file=name,
                lines=len(lines),
                clean=clean + late,
                late=late,
                repeats=repeats + changed + away + changed_away,
                repeats_of_earlier_files=away + changed_away,
                changed_repeats=changed + changed_away,
                rejected=rejected,
                older_than_a_day=lines.select(older.sum()).item(),
                reasons=dict(by_reason.rows()),
            )
        )
        marked = lines.with_row_index("line_number", 1).filter(mark > 0)
        marks = pl.Series("mark", MARKS).gather(marked["mark"])
        self._marked.append(marked.select(pl.lit(name).alias("file"), pl.col("line_number"), marks, pl.col("reasons")))


def _write(path: Path, data: pa.Buffer, codec: str | None) -> None:
    """Write beside the final name first, so that whoever watches the folder never sees half a file."""
    part = path.with_name(path.name + ".part")
    with pa.OSFile(str(part), "wb") as file:
        if codec is None:
            file.write(data)
        else:
            with pa.CompressedOutputStream(file, codec) as compressed:
                compressed.write(data)
    part.replace(path)
