"""A simulated company carried from files to published marts, for a newcomer to look at."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from models_ml.simulation import World, write_company
from pipelines.settings import Settings
from quality.contracts import load_contract

DEMO_END = datetime(2025, 6, 30, 18, 0, tzinfo=UTC)
"""The demo's present: a fixed instant, so that everyone sees the same figures."""

DEMO_QUERY = """select name, platform, impressions, clicks, round(revenue, 2) as revenue, round(spend, 2) as spend, round(roas, 2) as roas
from campaign_performance where window_label = '30d' order by revenue desc nulls last limit 5"""


def write_demo(settings: Settings, progress: Callable[[int, int], None]) -> Path:
    """Simulate the demo company into the home, afresh; return the folder of its files."""
    folder = settings.home / "demo"
    shutil.rmtree(folder, ignore_errors=True)
    write_company(World(end=DEMO_END), load_contract(), folder, progress=progress)
    return folder
