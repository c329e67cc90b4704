"""The number of usable processors."""

from __future__ import annotations

import os

__all__ = ["processors"]


def processors() -> int:
    """How many processors this process may use.

    Fewer than the machine has if the process is limited to some (`taskset`, Slurm, a container's
    cpuset). A limit of processor time, such as a container's `--cpus`, isn't visible here.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
