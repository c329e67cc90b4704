"""What is known to go wrong in some worlds, until the engine is mended.

Each entry has a seed that shows it (`scripts/simulate --world SEED --small`). A test fails as soon
as one of them goes well, so that the list stays true. What no client could tell, and what
docs/architecture.md excepts, is no fault, and isn't here (`judging`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.simulation.spec import Spec
from tests.simulation.world import Verdict

__all__ = ["KNOWN", "Known", "is_known"]


@dataclass(frozen=True, slots=True)
class Known:
    """A kind of world.

    Attributes:
        why: What goes wrong in it.
        kind: As a verdict has it.
        seed: One of its kind.
        holds: Whether a world is of this kind.
    """

    why: str
    kind: str
    seed: int
    holds: Callable[[Spec], bool]


KNOWN: tuple[Known, ...] = ()


def is_known(spec: Spec, verdict: Verdict) -> bool:
    """Whether what is wrong with a world is known."""
    return any(verdict.kind == each.kind and each.holds(spec) for each in KNOWN)
