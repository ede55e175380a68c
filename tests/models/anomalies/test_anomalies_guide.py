"""The guide says what its script computes."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

GUIDE = Path(__file__).parents[3] / "docs" / "models" / "anomalies.py"


@pytest.mark.slow
def test_the_guide_is_what_its_script_writes() -> None:
    text, plot = runpy.run_path(str(GUIDE))["guide"]()
    assert GUIDE.with_suffix(".md").read_text() == text
    assert plot.startswith("<?xml")
