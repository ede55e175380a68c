"""The guides of this topic say what their scripts compute."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest


@pytest.mark.slow
@pytest.mark.parametrize("topic", ["experiments", "uplift"])
def test_the_guide_is_what_its_script_writes(guide: Callable[[str], ModuleType], topic: str) -> None:
    guide(topic)
