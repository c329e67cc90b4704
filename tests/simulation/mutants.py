"""The engine with a slip in it, as somebody might make it: all but a few must be found in a minute.

A mutant is found by a world that goes wrong with it, and well without it.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import turboupload.engine.complete
import turboupload.engine.delivery
import turboupload.files.source
from tests.simulation.disk import SimulatedLock
from tests.simulation.spec import draw
from tests.simulation.world import play
from turboupload.core.model import FileType, Phase
from turboupload.core.records import ReadSetDetails
from turboupload.core.upload import (
    completing,
    facts,
    opening,
    ownership,
    rivals,
    sending,
    state,
)
from turboupload.core.upload.actions import Action, Complete, Declare
from turboupload.core.upload.events import Candidate, Completing, Event, Opening, ReadSetGone
from turboupload.core.upload.facts import UploadFacts
from turboupload.core.upload.identity import client_token
from turboupload.core.upload.matching import is_gone
from turboupload.core.upload.parts.counts import PartCounts
from turboupload.core.upload.parts.ledger import PartLedger
from turboupload.core.upload.state import Upload
from turboupload.engine.poll import ReadSetPoller
from turboupload.engine.recorder import Recorder
from turboupload.omics.call import Caller
from turboupload.operations import LIST_READ_SETS

__all__ = ["MUTANTS", "SLIPPERY", "Hunt", "hunt", "mutated"]

Change = tuple[Any, str, Any]
"""Where, which attribute, and what is there in the mutant."""


def _completing_after_the_call() -> list[Change]:
    """ "Completing" becomes durable when Complete has answered, not before it is called."""
    record = Recorder.record

    async def late(self: Recorder, key: str, event: Event) -> None:
        held: list[tuple[str, Event]] = self.__dict__.setdefault("held", [])
        if isinstance(event, Completing):
            held.append((key, event))
            return
        for each in [each for each in held if each[0] == key]:
            held.remove(each)
            await record(self, *each)
        await record(self, key, event)

    return [(Recorder, "record", late)]


def _no_lock() -> list[Change]:
    """Two processes of a machine work on the same upload."""

    class Unlocked(SimulatedLock):
        def __enter__(self) -> SimulatedLock:
            return self

    return [(turboupload.engine.delivery, "UploadLock", Unlocked)]


def _no_last_look() -> list[Change]:
    """Nobody looks for what others have made right before Complete."""
    return [(sending, "_check_before_completing", lambda _: Declare(Completing()))]


def _token_again() -> list[Change]:
    """A new attempt has the token of the first one."""
    new_attempt = opening._new_attempt

    def same(upload: UploadFacts) -> Opening:
        made = new_attempt(upload)
        token = client_token(
            store_id=upload.store_id,
            read_set=upload.read_set,
            file_type=upload.file_type,
            sources=upload.plan.sources,
            attempt=0,
        )
        return replace(made, token=token)

    return [(opening, "_new_attempt", same)]


def _complete_again_at_once() -> list[Change]:
    """A Complete whose reply was lost is called again without a look."""

    look = completing.next_completing

    def at_once(upload: UploadFacts) -> Action:
        if upload.upload_id is None or upload.ledger.listed_parts < upload.plan.total_parts:
            return look(upload)
        return Complete(upload.upload_id, upload.ledger.for_complete())

    return [(state, "next_completing", at_once)]


def _known_read_sets_forgotten() -> list[Change]:
    """The read sets that were there before are not remembered when an upload is begun."""
    start = Upload._start_attempt

    def forgetful(self: Upload, event: Opening) -> None:
        start(self, replace(event, known_read_sets=()))

    return [(Upload, "_start_attempt", forgetful)]


def _sizes_refute() -> list[Change]:
    """A BAM whose stored size is not the file's is taken for another's."""
    fresh = UploadFacts.new_read_sets

    def choosy(self: UploadFacts) -> Any:
        ours = [source.size for source in self.plan.sources]
        return [
            each
            for each in fresh(self)
            if self.file_type is FileType.FASTQ
            or not each.sizes
            or list(each.sizes.values()) == ours
        ]

    return [(UploadFacts, "new_read_sets", choosy)]


def _first_part_only() -> list[Change]:
    """Of another's upload one part is compared, and the others are believed to be ours."""
    listed = PartLedger.listed

    def trusting(self: PartLedger, parts: Any) -> None:
        listed(self, parts)
        self.counts.strange = self.counts.cut_short = self.counts.to_compare = 0

    class Nothing:
        """An attribute that nobody can set to anything but nothing."""

        def __get__(self, *_: object) -> int:
            return 0

        def __set__(self, *_: object) -> None: ...

    return [
        (PartLedger, "listed", trusting),
        (PartCounts, "strange", Nothing()),
        (PartCounts, "cut_short", Nothing()),
        (PartCounts, "to_compare", Nothing()),
    ]


def _flapping_is_deleted() -> list[Change]:
    """A read set that isn't shown once counts as deleted."""

    def hasty(self: ReadSetPoller, run: Any, read_set_id: str) -> ReadSetGone:
        return self._read_set_gone(run, f"read set {read_set_id} no longer exists")

    return [(ReadSetPoller, "_not_shown", hasty)]


def _not_listed_again() -> list[Change]:
    """On a resume the parts are taken to be as they were."""
    replay = Upload.replay

    def trusting(self: Upload, events: Any) -> None:
        replay(self, events)
        self.listed = self.phase is Phase.OPEN

    return [(Upload, "replay", trusting)]


def _gone_is_nothing() -> list[Change]:
    """An upload that is not open any more is left behind, and a new one begun at once."""
    return [(Upload, "_lose", lambda self, **_: self.forget())]


def _no_patience() -> list[Change]:
    """What one look doesn't show is not there."""
    return [(place, "Patience", lambda _: _Impatience()) for place in (facts, state)]


class _Impatience:
    """As `Patience`, at its end after the first look."""

    pause_s = 0.0
    exhausted = False

    def looked(self) -> None:
        self.exhausted = True


def _both_go_on() -> list[Change]:
    """Of two uploads with the same parts neither leaves the way to the other."""
    return [
        (state, "find_rivals", lambda _: ()),
        (state, "find_whole", lambda _: frozenset()),
    ]


def _unchecked_files() -> list[Change]:
    """Nobody looks whether a file has changed while it was sent."""

    async def nothing(_: Any) -> None:
        pass

    return [
        (turboupload.files.source, "check_identity", lambda *_: None),
        (turboupload.engine.complete, "require_same_bytes", nothing),
    ]


def _complete_retried() -> list[Change]:
    """Complete is called again like any other call where its answer is lost."""
    may_retry = Caller._may_retry_now

    def any_call(self: Caller, _: Any, failure: Any) -> bool:
        return may_retry(self, LIST_READ_SETS, failure)

    return [(Caller, "_may_retry_now", any_call)]


def _group_commit_forgets() -> list[Change]:
    """Whoever comes while rows are being written is told that theirs are, too."""

    write = Recorder._write

    async def hasty(self: Recorder, entry: Any) -> None:
        if not self._lock.locked():
            await write(self, entry)

    return [(Recorder, "_write", hasty)]


def _failed_is_in_the_way() -> list[Change]:
    """A read set that was turned down is waited for as if it could still come."""

    def still_to_come(record: ReadSetDetails) -> bool:
        return is_gone(record) and record.status != "UPLOAD_FAILED"

    places = (opening, ownership, sending, completing)
    return [(place, "is_gone", still_to_come) for place in places]


def _spent_goes_on() -> list[Change]:
    """An upload that became a read set is taken for one that is open, as it is still listed."""

    def may_adopt(upload: UploadFacts, candidate: Candidate) -> bool:
        return candidate.upload.upload_id not in upload.left_alone

    return [(place, "may_adopt", may_adopt) for place in (opening, rivals)]


MUTANTS: dict[str, Callable[[], list[Change]]] = {
    each.__name__.strip("_").replace("_", "-"): each
    for each in (
        _completing_after_the_call,
        _no_lock,
        _no_last_look,
        _token_again,
        _complete_again_at_once,
        _known_read_sets_forgotten,
        _sizes_refute,
        _first_part_only,
        _flapping_is_deleted,
        _not_listed_again,
        _gone_is_nothing,
        _no_patience,
        _both_go_on,
        _unchecked_files,
        _complete_retried,
        _group_commit_forgets,
        _failed_is_in_the_way,
        _spent_goes_on,
    )
}


SLIPPERY = frozenset(
    {
        "completing-after-the-call",
        "no-lock",
        "group-commit-forgets",
        "not-listed-again",
        "spent-goes-on",
    }
)
"""Slips that a minute of worlds doesn't show: the engine looks at the service before it believes
its journal, two processes of a machine find each other by what the service lists, too, an
upload that turns out to be gone is looked for at once, and a forced run that continued one of those
that became a read set stops and says so."""


@contextmanager
def mutated(name: str) -> Iterator[None]:
    """While this lasts, the engine has this slip; within `simulated()`."""
    changes = MUTANTS[name]()
    before = [
        (place, attribute, place.__dict__.get(attribute, _MISSING))
        for place, attribute, _ in changes
    ]
    for place, attribute, value in changes:
        setattr(place, attribute, value)
    try:
        yield
    finally:
        for place, attribute, value in before:
            if value is _MISSING:
                delattr(place, attribute)
            else:
                setattr(place, attribute, value)


_MISSING = object()


@dataclass(frozen=True, slots=True)
class Hunt:
    """How a mutant was found, or not.

    Attributes:
        seed: The world that tells it from the engine; None where it was not found.
        what: What went wrong there.
        worlds: How many were played until then.
        processor_s: What that took, in seconds.
    """

    seed: int | None
    what: str
    worlds: int
    processor_s: float


def hunt(name: str, *, first: int, processor_s: float) -> Hunt:
    """Plays worlds until one goes wrong with the mutant, and well without; within `simulated()`.

    Args:
        name: Of the mutant.
        first: The first seed.
        processor_s: Give up after so much processor time, in seconds.
    """
    began = time.process_time()
    seed = first
    while time.process_time() - began < processor_s:
        spec = draw(seed)
        with mutated(name):
            verdict = play(spec)
        if verdict.faults and not play(spec).faults:
            spent = time.process_time() - began
            return Hunt(seed, verdict.faults[0], seed - first + 1, spent)
        seed += 1
        if seed % 100 == 0:
            gc.collect()
    return Hunt(None, "", seed - first, time.process_time() - began)
