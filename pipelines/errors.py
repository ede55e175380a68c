"""Errors that people read. Everything else that is raised is a defect and keeps its stack trace."""

from __future__ import annotations


class TrueliftError(Exception):
    """A failure explained to a person: what happened and the remedy.

    ``exit_code`` is what the command line ends with.
    """

    exit_code = 1

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(f"{what} {remedy}".strip())
        self.what = what
        self.remedy = remedy


class UserError(TrueliftError):
    """A mistake of the caller: a wrong argument, setting, mapping or file."""

    exit_code = 2


class WorkFailedError(TrueliftError):
    """The work was asked for rightly and failed: a gate, a fault of disk, file or database."""


DISK_FULL = "The disk is full, or it fails"
FREE_SPACE = "Free space and run it again; `truelift maintain` then gives back what the lake no longer needs."


def is_disk_full(error: Exception | str) -> bool:
    """Whether the system, DuckDB or SQLite says that no space is left; SQLite at times calls it an I/O error."""
    signs = ("No space left", "disk is full", "disk I/O error", "Disk quota exceeded")
    return any(sign in str(error) for sign in signs)
