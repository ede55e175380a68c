"""The guides of this topic say what their scripts compute."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

GUIDES = Path(__file__).parents[3] / "docs" / "models"


@pytest.mark.slow
@pytest.mark.parametrize("topic", ["experiments", "uplift"])
def test_the_guide_is_what_its_script_writes(topic: str) -> None:
    text, plot = runpy.run_path(str(GUIDES / f"{topic}.py"))["guide"]()
    assert (GUIDES / f"{topic}.md").read_text() == text
    assert plot.startswith("<?xml")
