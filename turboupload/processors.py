"""How many processors there are for us."""

from __future__ import annotations

import os

__all__ = ["processors"]


def processors() -> int:
    """How many processors this process may use.

    Fewer than the machine has, where some are set apart for it (`taskset`, Slurm, a container's
    cpuset). A share of their time, as a container's `--cpus`, can't be told from this.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
