"""The guide says what its script computes."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest


@pytest.mark.slow
def test_the_guide_is_what_its_script_writes(guide: Callable[[str], ModuleType]) -> None:
    guide("budget")
