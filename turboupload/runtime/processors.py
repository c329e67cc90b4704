"""The usable processors, and what they can do."""

from __future__ import annotations

import os
from pathlib import Path

from turboupload.errors import ConfigError

__all__ = ["processors", "sha_instructions", "thread_count"]


def processors() -> int:
    """How many processors this process may use.

    Fewer than the machine has if the process is limited to some (`taskset`, Slurm, a container's
    cpuset). A limit of processor time, such as a container's `--cpus`, isn't visible here.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def thread_count(wanted: int | None) -> int:
    """How many threads to use; by default one a processor.

    Raises:
        ConfigError: It is no number of threads.
    """
    if wanted is None:
        return processors()
    if not isinstance(wanted, int) or wanted < 1:
        raise ConfigError(f"threads must be at least 1, not {wanted!r}")
    return wanted


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
