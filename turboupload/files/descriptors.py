"""How many files this process may have open."""

from __future__ import annotations

import resource
from typing import Final

__all__ = ["rooms"]

EACH: Final = 5
"""Descriptors of one upload: two locks, and those that read its files to compare or hash them."""

KEPT: Final = 160
"""For connections and the files of the parts on them, the journal, and whatever else is open."""


def rooms() -> int:
    """How many uploads may be open side by side under the limit of descriptors; at least four."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        limit = 1_000_000
    return max(4, (limit - KEPT) // EACH)
