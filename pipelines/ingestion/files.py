"""Files as producers drop them: which are ready, what they hold, and where they go after their load."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipelines.errors import UserError, WorkFailedError
from pipelines.ingestion.lines import Identity, UnreadableFileError, content_hash, identity
from pipelines.lake.tables import REFERENCES
from pipelines.settings import Settings

EVENT_SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".parquet")
REFERENCE_SUFFIXES = (".csv", ".parquet")
_UNFINISHED_SUFFIXES = (".tmp", ".part", ".partial", ".crdownload")
_LONGEST_NAME = 200


@dataclass(frozen=True)
class SeenFile:
    """A file as it was when its content was hashed."""

    path: Path
    identity: Identity
    content_hash: str

    @property
    def bytes(self) -> int:
        """Its size on the disk."""
        return self.identity[1]

    @property
    def is_unchanged(self) -> bool:
        """Whether it is still there and was not written to since."""
        try:
            return identity(self.path) == self.identity
        except UnreadableFileError:
            return False


def look_at(path: Path) -> SeenFile:
    """Hash a file. Raises UnreadableFileError when it can't be read."""
    before = identity(path)
    return SeenFile(path, before, content_hash(path))


def ready_files(settings: Settings, now: datetime) -> list[Path]:
    """Landed files that are complete, oldest first: not hidden, not under a temporary name, and settled.

    A file is settled when it was last written ``landing_settle_seconds`` before ``now``.
    """
    latest = now.timestamp() - settings.landing_settle_seconds
    # References first: the events of the same batch then find their campaigns.
    found = sorted((reference_of(path) is None, modified, path) for modified, path in _landed(settings.landing))
    return [path for _, modified, path in found if modified <= latest]


def _landed(folder: Path) -> Iterator[tuple[float, Path]]:
    """The files below a folder that are not hidden and under their final name, with the time of their last change."""
    for path in folder.rglob("*"):
        is_hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if is_hidden or path.name.endswith(_UNFINISHED_SUFFIXES):
            continue
        try:
            status = path.stat()
        except OSError:  # renamed or taken away since it was listed, or a link to nowhere
            continue
        if stat.S_ISREG(status.st_mode):
            yield status.st_mtime, path


def reference_of(path: Path) -> str | None:
    """The reference input that a file's name stands for (``campaigns.csv``, ``fx_rates-2025-06.parquet``), if any."""
    if not path.name.endswith(REFERENCE_SUFFIXES):
        return None
    stem = path.name.removesuffix(path.suffix)
    names = [name for name in REFERENCES if stem == name or stem.startswith((f"{name}-", f"{name}_", f"{name}."))]
    return max(names, key=len, default=None)


def check_paths(paths: Sequence[Path]) -> None:
    """Refuse what a person can't have meant: a missing path, or a file of an unknown kind.

    Raises UserError naming the path and what is accepted.
    """
    for path in paths:
        if not path.exists():
            raise UserError(f"{path} does not exist.", "Give a file or a folder of files.")
        if path.is_dir():
            raise UserError(f"{path} is a folder.", "Give its files, or use `truelift ingest FOLDER`.")
        if not path.is_file():
            raise UserError(f"{path} is no file but a pipe or a device.", "Write its lines into a file first.")
        if not is_known(path):
            raise UserError(
                f"{path.name} is neither an event file nor a reference input.",
                f"Event files end in {', '.join(EVENT_SUFFIXES)}; a reference input is named after its table, "
                f"for instance campaigns.csv ({', '.join(REFERENCES)}). Other exports come in by --source.",
            )


def is_known(path: Path) -> bool:
    """Whether the name of a file says what it holds."""
    return path.name.endswith(EVENT_SUFFIXES) or reference_of(path) is not None


def files_in(folder: Path) -> list[Path]:
    """The files of a folder that its user hands over for loading: references first, then by name.

    Raises UserError when there is none.
    """
    found = sorted(
        (path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".") and is_known(path)),
        key=lambda path: (reference_of(path) is None, path.name),
    )
    if not found:
        raise UserError(f"{folder} holds no event file.", f"Event files end in {', '.join(EVENT_SUFFIXES)}.")
    return found


def recorded_name(settings: Settings, path: Path) -> str:
    """The name under which the lake knows a file: below the landing folder, or its own; bytes that are no text spelled out."""
    name = path.relative_to(settings.landing) if settings.landing in path.parents else path.name
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def archive_landed(settings: Settings, file: SeenFile) -> None:
    """Move a loaded file out of the landing folder.

    Files from elsewhere stay where they are, and so do those that changed after they were read: what they hold now is
    taken in by the next run. Raises WorkFailedError when it can't be moved.
    """
    if settings.landing not in file.path.parents or not file.is_unchanged:
        return
    target = settings.archive / f"{file.content_hash[:12]}-{file.path.name[-_LONGEST_NAME:]}"
    try:
        shutil.move(file.path, target)
    except OSError as error:
        raise WorkFailedError(
            f"{file.path.name} is loaded but can't be moved to {settings.archive}: {error.strerror or error}.",
            "Make both folders writable and run again; it is not loaded twice.",
        ) from error
