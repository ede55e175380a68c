"""What the figures depend on: the machine, the limits of the engine and the versions. Nothing that tells one machine's name."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from pipelines.settings import load_settings

_PACKAGES = ("truelift", "duckdb", "duckdb-extension-ducklake", "dbt-core", "dbt-duckdb", "polars", "pyarrow")


def machine() -> Mapping[str, str]:
    """Processor, cores, memory, system, and what the engine may use of them."""
    settings = load_settings()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{memory / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}",
        "engine": f"{settings.threads} threads, {settings.memory_limit}",
    }


def versions() -> Mapping[str, str]:
    """Versions of Python and of the packages that do the work."""
    return {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}


def _processor() -> str:
    described = Path("/proc/cpuinfo")
    if described.exists():
        for line in described.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
