"""The usable processors, and what they can do."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["processors", "sha_instructions"]


def processors() -> int:
    """How many processors this process may use.

    Fewer than the machine has if the process is limited to some (`taskset`, Slurm, a container's
    cpuset). A limit of processor time, such as a container's `--cpus`, isn't visible here.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def sha_instructions() -> bool | None:
    """Whether the processor has instructions for SHA-256; None where the system doesn't tell."""
    try:
        text = Path("/proc/cpuinfo").read_text(errors="replace")
    except OSError:
        return None
    for line in text.splitlines():
        name, _, words = line.partition(":")
        if name.strip() in ("flags", "Features"):  # of x86-64, and of ARM
            return not {"sha_ni", "sha2"}.isdisjoint(words.split())
    return None
