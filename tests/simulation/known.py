"""Worlds in which the engine is known to make a second read set, until it is mended.

Each entry has a seed that shows it (`scripts/simulate --world SEED --small`); a test fails as soon
as one of them goes well, so that the list stays true. What no client could tell is no fault, and
isn't here (`judging`).
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
        seed: One of its kind.
        holds: Whether a world is of this kind.
    """

    why: str
    seed: int
    holds: Callable[[Spec], bool]


def _tokens_differ(spec: Spec) -> bool:
    """Whether two hosts that ask for the same may get an upload each."""
    rules = spec.rules
    return len(spec.hosts) > 1 and (
        rules.token != "ever"
        or rules.token_s < 1e9
        or any(not host.resume for host in spec.hosts)
        or any(each.kind == "expire" or each.how == "cut" for each in spec.faults)
    )


KNOWN = (
    Known(
        "an upload that was listed a moment ago, and is gone while no read set is shown yet, "
        "counts as nothing",
        526,
        lambda spec: (
            _tokens_differ(spec) and (spec.rules.lag_read_sets > 0 or spec.rules.lag_uploads > 0)
        ),
    ),
    Known(
        "an upload whose parts have no checksum that can be compared counts as nobody's while its "
        "Complete is under way",
        372,
        lambda spec: (
            _tokens_differ(spec)
            and any(each.op == "Complete" and each.how == "slow" for each in spec.faults)
        ),
    ),
)


def is_known(spec: Spec, verdict: Verdict) -> bool:
    """Whether what is wrong with a world is known."""
    return verdict.kind == "twice" and any(each.holds(spec) for each in KNOWN)
