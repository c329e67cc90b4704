"""What must hold at the end of every world."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations
from math import inf
from typing import TYPE_CHECKING

from tests.simulation.process import Outcome
from tests.simulation.service import StoredReadSet
from tests.simulation.spec import Fault, Host, Rules
from turboupload.cli.ui.errors import STOPPED

if TYPE_CHECKING:
    from tests.simulation.world import World

__all__ = ["judge"]


def judge(world: World) -> Iterator[str]:
    """What is not as it must be: the kind, a colon, and the details."""
    for ask in world.spec.asks:
        # A file's every state is a version: an upload is of one of them, never of two.
        versions = world.versions.get(ask.name, [])
        for read_set in world.service.read_sets.values():
            if (
                read_set.upload.about.name == ask.name
                and tuple(read_set.content.values()) not in versions
                and not _cut_unseen(world)
            ):
                yield f"content: read set {read_set.read_set_id} holds what no file ever held"
        for content in versions:
            allowed = world.allowed.get((ask.name, content), 1)
            made = world.live(ask.name, content)
            if len(made) <= allowed or _beyond_what_is_promised(world):
                continue
            if any(map(_could_tell, permutations(made, 2))):
                yield f"twice: {len(made)} read sets of {ask.name}, {allowed} asked for"
    for number, outcome in world.last.items():
        yield from _judge_end(world, number, outcome)
    if _bounded(world) and (extra := world.sent_again) > world.parts_excused:
        yield f"sent: {extra} parts came again, {world.parts_excused} were in flight"


def _cut_unseen(world: World) -> bool:
    """Whether a part that the service cut short can't be seen before Complete.

    An earlier run, which was killed, had sent the same part. A listing that lags shows that one,
    and checksums that can't be compared don't tell the two apart. Afterwards the ETag of a FASTQ
    tells; a BAM is called unproven.
    """
    rules = world.spec.rules
    cut = any(each.how == "cut" for each in world.spec.faults)
    return cut and rules.lag_parts > 0 and _can_not_be_compared(rules)


def _can_not_be_compared(rules: Rules) -> bool:
    return rules.checksum in ("opaque", "foreign") or not rules.checksums_listed


def _beyond_what_is_promised(world: World) -> bool:
    """Whether two read sets may be made by what docs/architecture.md says (decision 3).

    Two hosts get an upload each. Then either the first's isn't listed any more, as soon as it is
    completed or processed, and its read set isn't listed yet; or what the two have in common can't
    be seen, or is left alone on purpose. Or a host alone has two uploads, and doesn't know it.
    """
    spec, rules = world.spec, world.spec.rules
    machines = {host.machine for host in spec.hosts}
    asked_to_leave = world.told_anew or not all(
        host.resume and not host.force for host in spec.hosts
    )
    # An upload that the user named isn't left for an older one.
    names_one = any(host.use_upload_id for host in spec.hosts)
    can_not_be_compared = _can_not_be_compared(rules)
    an_upload_each = (
        asked_to_leave
        or rules.token not in ("ever", "conflict")
        # A token that is refused is of no use where nothing tells which upload it made.
        or (rules.token == "conflict" and can_not_be_compared)
        or rules.token_s < inf
        or rules.checksum == "foreign"
        # What unlike cuts make of one upload can be anybody's, and is left alone.
        or (can_not_be_compared and len({host.part_bytes for host in spec.hosts}) > 1)
        or any(each.kind in ("expire", "disk", "file", "delete") for each in spec.faults)
    )
    shows_nothing = rules.lag_read_sets > (rules.processing_s if rules.lingers else 0.0)
    if not an_upload_each:
        return False
    if len(machines) == 1:
        return can_not_be_compared and _completed_unseen(spec.faults)
    return shows_nothing or can_not_be_compared or asked_to_leave or names_one


def _completed_unseen(faults: Sequence[Fault]) -> bool:
    """Whether Complete may take effect when all patience is over, and no journal tells of it."""
    lost = any(each.kind == "disk" and each.how != "full" for each in faults)
    slow = any(each.op == "Complete" and each.how == "slow" for each in faults)
    return lost and slow


def _could_tell(pair: tuple[StoredReadSet, ...]) -> bool:
    """Whether whoever completed one had been shown anything of the other by then.

    Where a listing of read sets lags, a completed upload isn't listed any more, and tokens are
    forgotten, the second host sees a store in which there is nothing of the kind. No client can
    tell, unless every upload waits for as long as a listing may lag.
    """
    one, other = pair
    known = {other.read_set_id, other.upload.upload_id}
    return one.upload is other.upload or not known.isdisjoint(one.shown)


def _judge_end(world: World, number: int, outcome: Outcome) -> Iterator[str]:
    host = world.spec.hosts[number]
    if outcome.code == 0:
        for ask in world.asks_of(host):
            if not world.made(ask.name):
                yield f"nothing: host {number} ended well, and there is no {ask.name}"
    elif outcome.code == STOPPED and not _undecidable(world, host):
        yield f"endless: host {number} is never done: {outcome}"
    elif outcome.code not in {STOPPED, *_explained(world, host)}:
        yield f"refused: host {number} ends with {outcome}"


def _undecidable(world: World, host: Host) -> bool:
    """Whether nothing but a person can tell which of several read sets is the host's.

    They are of other files under the same name, and there is no ETag that would prove the one or
    the other: "compare them" is the only advice.
    """
    asks = world.asks_of(host)
    many = any(len(world.versions[ask.name]) > 1 for ask in asks)
    return many and (not world.spec.rules.etags or any(ask.file_type != "FASTQ" for ask in asks))


def _explained(world: World, host: Host) -> set[int | None]:
    """Ends for which there is a reason in this world, beside success."""
    rules, names = world.spec.rules, [ask.name for ask in world.asks_of(host)]
    ends: set[int | None] = set()
    if any(len(world.versions[name]) > 1 for name in names):
        # Another content under the same name is in the way, or is noticed on the way.
        ends |= {4, 6}
    if _cut_unseen(world):
        ends |= {6}
    if _can_not_be_compared(rules) and any(each.how == "cut" for each in world.spec.faults):
        # The string of the reply is not that of the part that came later, and none is listed.
        ends |= {4}
    if any(each.kind == "reject" for each in world.spec.faults):
        ends |= {4, 7}
    if any(each.about.name in names for each in world.refused_uploads):
        ends |= {4}
    if not rules.etags and any(map(world.made, names)):
        # Nothing proves that a read set that another made is of these files.
        ends |= {4}
    return ends | {8} if ends and len(host.asks) > 1 else ends


def _bounded(world: World) -> bool:
    """Whether it can be said how many parts may come again: as many as were in flight.

    One host alone, whose journal and files stay as they are, that goes on with what is there and
    doesn't want a second one; a service that says at once and for good what it has, in checksums
    that can be compared. Then a part comes again only where the process died, was stopped, or heard
    no answer between its sending and its row in the journal.
    """
    spec, rules = world.spec, world.spec.rules
    host = spec.hosts[0]
    return (
        len(spec.hosts) == 1
        and not spec.janitors
        and host.resume
        and not host.force
        and host.again != "force"
        and not host.use_upload_id
        and rules.lag_parts == rules.lag_uploads == rules.lag_read_sets == rules.unknown_s == 0
        and rules.checksum != "foreign"
        and all(map(_costs_no_more, spec.faults))
    )


def _costs_no_more(fault: Fault) -> bool:
    """Whether a fault costs at most the part that it befalls, and those in flight."""
    if fault.kind != "reply":
        return fault.kind in ("die", "step", "interrupt")
    if fault.op == "SendPart":
        return fault.how != "404"
    return fault.how in ("429", "500", "503", "unsent")
