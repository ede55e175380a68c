"""Memory of benchmarks that measure within the process."""

from __future__ import annotations

import resource
import sys

from benchmarks.results import Target

_MOST_MIB = 4096
_UNITS_PER_MIB = 2**20 if sys.platform == "darwin" else 2**10


def peak_memory() -> Target:
    """The most that this process has held so far, with the peers and whatever ran in it before: an upper bound of ours."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _UNITS_PER_MIB
    return Target("peak memory of the process, peers included", "MiB", peak, _MOST_MIB)
