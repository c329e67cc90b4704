"""What is known to go wrong in some worlds, until the engine is mended.

Each entry has a seed that shows it (`scripts/simulate --world SEED --small`). A test fails as soon
as one of them goes well, so that the list stays true. What no client could tell, and what
docs/architecture.md excepts, is no fault, and isn't here (`judging`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

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


def _an_upload_each(spec: Spec) -> bool:
    """Whether two hosts that ask for the same may get an upload each."""
    rules = spec.rules
    return len(spec.hosts) > 1 and (
        rules.token != "ever"
        or rules.checksum == "foreign"
        or rules.token_s < inf
        or not all(host.resume for host in spec.hosts)
        or any(each.kind in ("expire", "disk") or each.how == "cut" for each in spec.faults)
    )


def _batch(spec: Spec) -> bool:
    return any(len(host.asks) > 1 for host in spec.hosts)


KNOWN = (
    Known(
        "with tags of the service's own an upload is nobody's, so none leaves the way to another",
        "twice",
        1425,
        lambda spec: _an_upload_each(spec) and spec.rules.own_tags,
    ),
    Known(
        "an upload whose parts can't be compared when it is first seen is never left the way",
        "twice",
        1247,
        lambda spec: (
            _an_upload_each(spec)
            and (spec.rules.checksum in ("opaque", "foreign") or not spec.rules.checksums_listed)
        ),
    ),
    Known(
        "with --no-resume on one side, an upload that was listed a moment ago, and isn't any more, "
        "counts as nothing while its read set isn't listed yet",
        "twice",
        526,
        lambda spec: _an_upload_each(spec) and spec.rules.lag_read_sets > 0,
    ),
    Known(
        "an upload that has no parts as far as a late listing shows is not left the way",
        "twice",
        938,
        lambda spec: (
            _an_upload_each(spec)
            and (spec.rules.lag_parts > 0 or spec.rules.lag_uploads > 0 or spec.rules.unknown_s > 0)
        ),
    ),
    Known(
        "with --no-resume on one side, an upload whose Complete is under way is not left the way",
        "twice",
        304749,
        lambda spec: (
            _an_upload_each(spec)
            and any(each.op == "Complete" and each.how == "slow" for each in spec.faults)
        ),
    ),
    Known(
        "a read set that is listed before its metadata is shown is refused for want of an ETag",
        "refused",
        303920,
        lambda spec: (
            spec.rules.lag_metadata > 0
            or any(each.op == "GetReadSet" and each.how == "404" for each in spec.faults)
        ),
    ),
    Known(
        "a row whose read set turns out to be its own while it is followed ends the whole batch",
        "bug",
        625,
        lambda spec: _batch(spec),
    ),
    Known(
        "a row whose upload another host completed is refused for want of an ETag: its read set is "
        "taken from a listing, which has none",
        "refused",
        203646,
        lambda spec: _batch(spec) and len(spec.hosts) > 1,
    ),
    Known(
        "an upload that is gone when the looks for its read set are used up, because another host "
        "completed it a moment ago, is begun anew at once",
        "twice",
        94394339,
        lambda spec: (
            len(spec.hosts) > 1
            and spec.rules.lag_read_sets > 0
            and any(each.kind in ("die", "step", "interrupt", "reply") for each in spec.faults)
        ),
    ),
)


def is_known(spec: Spec, verdict: Verdict) -> bool:
    """Whether what is wrong with a world is known."""
    return any(verdict.kind == each.kind and each.holds(spec) for each in KNOWN)
