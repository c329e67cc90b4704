"""Which two reads of a sample are its mates, where somebody says so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from turboupload.errors import ConfigError

__all__ = ["check_mates"]

_READS: Final = frozenset({"R1", "R2", "R3", "R4"})


def check_mates(mates: Sequence[str]) -> None:
    """Makes sure that mates are two different reads.

    Raises:
        ConfigError: They aren't.
    """
    if isinstance(mates, str) or not (len(mates) == 2 == len(set(mates) & _READS)):
        raise ConfigError(f"mates is two reads of R1 to R4, such as ('R1', 'R3'), not {mates!r}")
