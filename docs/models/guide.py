"""A guide: the page and the plot that a script beside this one computes, written under the script's name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import polars as pl
from matplotlib.figure import Figure


def write(script: str, page: Callable[[], str], plot: Callable[[], Figure], *, font_size: float = 9) -> None:
    """Write the page as Markdown and the plot as SVG beside ``script``; equal figures give equal files."""
    here = Path(script)
    here.with_suffix(".md").write_text(page())
    with mpl.rc_context({"svg.hashsalt": here.stem, "font.size": font_size}):
        plot().savefig(here.with_suffix(".svg"), metadata={"Date": None})


def markdown(table: pl.DataFrame, decimals: int = 0) -> str:
    """A frame as a table of Markdown, its floats with so many decimals."""
    lines = [f"| {' | '.join(name.replace('_', ' ') for name in table.columns)} |", "|---" * table.width + "|"]
    for row in table.rows():
        cells = (f"{cell:,.{decimals}f}" if isinstance(cell, float) else str(cell) for cell in row)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
