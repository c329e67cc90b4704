"""Which two reads of a sample are its mates, where somebody says so."""

from __future__ import annotations

from typing import Final

from turboupload.errors import ConfigError

__all__ = ["check_mates"]

_READS: Final = frozenset({"R1", "R2", "R3", "R4"})


def check_mates(mates: object) -> None:
    """Makes sure that mates are two different reads.

    Raises:
        ConfigError: They aren't.
    """
    if not (isinstance(mates, list | tuple) and len(mates) == 2 == len(_READS.intersection(mates))):
        raise ConfigError(f"mates is two reads of R1 to R4, such as ('R1', 'R3'), not {mates!r}")
