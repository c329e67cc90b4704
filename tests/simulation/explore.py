"""Every interleaving of two hosts with the pure core, by a service of a few lines.

No time, no tasks, no disk: two `Upload`s ask, an abstract service answers, and at every moment a
host may be killed, a reply be lost or a listing be late, as often as there are faults left. A
listing lags for less time than a patience lasts (`core.upload.patience`): once a host has lost one
that began after the last change, nobody is shown any more what was before that change. All states
that can be reached are visited, breadth first; each is the pickled states of both hosts, their
journals and the service, so what was seen before is known again. What can't change in a state is
pickled as its number: equal values have the same one.

What holds in each: at most one read set; no fact that can't happen. And from each state both hosts
can come to their end.
"""

from __future__ import annotations

import copyreg
import hashlib
import pickle
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any

from turboupload.core.model import (
    Digest,
    FileIdentity,
    FileType,
    Part,
    PartSource,
    Phase,
    ReadSet,
    Source,
    SourceFile,
)
from turboupload.core.proof.checksum import PartAlgorithm
from turboupload.core.proof.etag import ContentETag
from turboupload.core.records import ETag, MultipartUpload, ReadSetDetails, UploadPart
from turboupload.core.upload.actions import (
    Complete,
    Create,
    Declare,
    Done,
    ListParts,
    PollReadSet,
    Prove,
    SendParts,
    Survey,
)
from turboupload.core.upload.events import (
    Candidate,
    Completed,
    CompleteLost,
    ETagComputed,
    Event,
    Opened,
    Opening,
    PartSeen,
    PartsListed,
    StatusSeen,
    Surveyed,
    UploadGone,
)
from turboupload.core.upload.parts.facts import PartRow
from turboupload.core.upload.parts.work import CheckPart, SendPart
from turboupload.core.upload.patience import Patience
from turboupload.core.upload.plan import Plan
from turboupload.core.upload.state import Upload, UploadOptions
from turboupload.errors import TurbouploadError
from turboupload.state.journal_rows import JOURNALLED

__all__ = ["Explored", "Limits", "explore"]

PARTS = 2
PART_BYTES = 8
PATIENCE_S = 1.0
STORE = "1234567890"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is explored.

    Attributes:
        hosts: How many.
        faults: How much goes wrong, at most.
        tokens: Whether the service knows a token again.
        lingers: Whether a completed upload is listed until its read set is done.
        most_states: Stop there.
    """

    hosts: int = 2
    faults: int = 3
    tokens: bool = True
    lingers: bool = False
    most_states: int = 1_000_000


@dataclass(slots=True)
class Explored:
    """What came of it.

    Attributes:
        states: How many were visited.
        ends: In how many both hosts had come to their end.
        complete: Whether these are all.
        wrong: What doesn't hold, with the way to it.
        stuck: States from which no end can be reached.
    """

    states: int = 0
    ends: int = 0
    complete: bool = True
    wrong: list[str] = field(default_factory=list)
    stuck: int = 0


@dataclass(frozen=True, slots=True)
class _Open:
    """An upload of the abstract service."""

    upload_id: str
    token: str
    parts: frozenset[int] = frozenset()
    read_set_id: str | None = None


@dataclass(frozen=True, slots=True)
class _Service:
    """All that the abstract service has; a late listing shows the one before."""

    uploads: tuple[_Open, ...] = ()
    done: frozenset[str] = frozenset()

    def replaced(self, upload: _Open) -> _Service:
        return replace(
            self,
            uploads=tuple(
                upload if each.upload_id == upload.upload_id else each for each in self.uploads
            ),
        )

    def find(self, upload_id: str) -> _Open | None:
        return next((each for each in self.uploads if each.upload_id == upload_id), None)

    @property
    def read_sets(self) -> list[str]:
        return [each.read_set_id for each in self.uploads if each.read_set_id is not None]


@dataclass(slots=True)
class _Host:
    """A host.

    Attributes:
        upload: Its state.
        journal: What it has recorded.
        ended: How it came to its end; empty before.
        all_old: Whether the service has been as it is for as long as this host's patience lasts.
    """

    upload: Upload
    journal: tuple[Event, ...] = ()
    ended: str = ""
    all_old: bool = True


@dataclass(slots=True)
class _State:
    hosts: list[_Host]
    service: _Service
    before: _Service
    faults: int


def _digest(number: int) -> Digest:
    return Digest(xxh3=bytes(16), sha256=hashlib.sha256(bytes([number])).digest())


def _checksum(number: int) -> str:
    return _digest(number)["sha256"].hex()


READ_SET = ReadSet(sources=["reads"], name="name", sample_id="sample", subject_id="subject")


def _read_set() -> ReadSet:
    return READ_SET


def _fresh(number: int) -> Upload:
    identity = FileIdentity(number, 1, PARTS * PART_BYTES, 1)
    return Upload(
        store_id=STORE,
        read_set=READ_SET,
        file_type=FileType.FASTQ,
        plan=Plan((Source(PartSource.SOURCE1, (SourceFile("reads", identity),), "f"),), PART_BYTES),
        options=UploadOptions(
            patience_s=PATIENCE_S, slow_patience_s=PATIENCE_S, stand_aside_s=PATIENCE_S
        ),
    )


UNCHANGING = (
    Completed,
    Digest,
    ETagComputed,
    FileType,
    Opened,
    Opening,
    Part,
    PartAlgorithm,
    PartRow,
    PartSeen,
    PartSource,
    Phase,
    Plan,
    ReadSetDetails,
    Source,
    StatusSeen,
    UploadOptions,
    _Service,
)

_numbers: dict[tuple[type, Hashable], int] = {}
_values: list[Any] = []


def _of_number(number: int) -> Any:
    return _values[number]


def _reduced(value: Hashable) -> tuple[Callable[[int], Any], tuple[int]]:
    number = _numbers.setdefault((type(value), value), len(_values))
    if number == len(_values):
        _values.append(value)
    return _of_number, (number,)


@contextmanager
def _copyable() -> Iterator[None]:
    """While this lasts, an upload's state can be pickled: a generator can't, a tuple's can."""
    parts = Plan.in_sending_order
    for each in UNCHANGING:
        copyreg.pickle(each, _reduced)
    copyreg.pickle(ReadSet, lambda _: (_read_set, ()))
    Plan.in_sending_order = lambda self: iter(tuple(parts(self)))  # type: ignore[method-assign]
    try:
        yield
    finally:
        Plan.in_sending_order = parts  # type: ignore[method-assign]
        for each in UNCHANGING:
            copyreg.dispatch_table.pop(each, None)
        copyreg.dispatch_table.pop(ReadSet, None)
        _numbers.clear()
        _values.clear()


class _Explorer:
    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    # --- what the service answers -----------------------------------------------------------

    def _listed(self, service: _Service, upload: _Open) -> bool:
        if upload.read_set_id is None:
            return True
        return self._limits.lingers and upload.read_set_id not in service.done

    def _record(self, service: _Service, read_set_id: str) -> ReadSetDetails:
        active = read_set_id in service.done
        return ReadSetDetails(
            read_set_id=read_set_id,
            status="ACTIVE" if active else "PROCESSING_UPLOAD",
            name="name",
            sample_id="sample",
            subject_id="subject",
            file_type="FASTQ",
            etag=ETag(algorithm="FASTQ_MD5up", source1="0" * 32) if active else None,
        )

    def _surveyed(self, service: _Service, ours: str | None) -> Surveyed:
        candidates = []
        for each in service.uploads:
            if not self._listed(service, each):
                continue
            parts = () if each.upload_id == ours else _rows(each)
            candidates.append(
                Candidate(
                    MultipartUpload(
                        upload_id=each.upload_id,
                        file_type="FASTQ",
                        name="name",
                        sample_id="sample",
                        subject_id="subject",
                    ),
                    parts,
                    PART_BYTES if parts else None,
                    "equal" if parts else "unknown",
                )
            )
        records = [self._record(service, each) for each in service.read_sets]
        return Surveyed(tuple(candidates), tuple(records))

    # --- what may happen next ---------------------------------------------------------------

    def successors(self, packed: bytes) -> Iterator[tuple[str, _State]]:
        """Every state that may come next, with what happens."""
        state: _State = pickle.loads(packed)  # noqa: S301 - pickled here
        # What concerns nobody else can be done before whatever the others do: the order makes no
        # difference to them. (The host may be killed before and after it all the same.)
        alone = next(
            (
                number
                for number, host in enumerate(state.hosts)
                if not host.ended and _concerns_nobody_else(host)
            ),
            None,
        )
        for read_set_id in state.service.read_sets:
            if alone is None and read_set_id not in state.service.done:
                after: _State = pickle.loads(packed)  # noqa: S301 - pickled here
                done = after.service.done | {read_set_id}
                self._change(after, replace(after.service, done=done))
                yield f"{read_set_id} is ACTIVE", after
        for number, host in enumerate(state.hosts):
            if host.ended or alone not in (None, number):
                continue
            for fault in ("", "lost", "late") if state.faults else ("",):
                after = pickle.loads(packed)  # noqa: S301 - pickled here
                what = self._step(after, number, fault)
                if what is not None:
                    yield f"host {number}: {what}", after
            if state.faults:
                after = pickle.loads(packed)  # noqa: S301 - pickled here
                after.faults -= 1
                self._restart(after, number)
                yield f"host {number} is killed", after

    @staticmethod
    def _restart(state: _State, number: int) -> None:
        host = state.hosts[number]
        host.upload = _fresh(number)
        host.upload.replay(
            replace(each, origin="journal") if isinstance(each, PartSeen) else each
            for each in host.journal
        )
        host.all_old = True

    @staticmethod
    def _change(state: _State, service: _Service) -> None:
        state.before, state.service = state.service, service
        for host in state.hosts:
            host.all_old = False

    def _step(self, state: _State, number: int, fault: str) -> str | None:
        """Lets a host do one thing; None where the fault can't befall it."""
        host = state.hosts[number]
        upload, patience = host.upload, host.upload.patience
        try:
            action = upload.next()
            if fault:
                state.faults -= 1
            if isinstance(action, Survey) and host.all_old and _is_last_look(patience):
                state.before = state.service
            service = state.before if fault == "late" else state.service
            match action:
                case Done():
                    if fault:
                        return None
                    host.ended = "done"
                    return "is done"
                case Survey() if fault != "lost":
                    self._receive(host, self._surveyed(service, upload.upload_id))
                case ListParts(upload_id) if fault != "lost":
                    found = service.find(upload_id)
                    gone = found is None or not self._listed(service, found)
                    self._receive(host, UploadGone() if gone else PartsListed(_rows(found)))
                case PollReadSet(read_set_id) if not fault:
                    self._receive(host, StatusSeen(self._record(service, read_set_id)))
                case Prove(family) if not fault:
                    etag = ContentETag("FASTQ_MD5up", "0" * 32, None)
                    self._receive(host, ETagComputed(family=family, etag=etag))
                case Declare(event) if not fault:
                    self._receive(host, event)
                case Create(token) if fault != "late":
                    self._create(state, host, token, lost=fault == "lost")
                case SendParts(upload_id, compare_only) if fault != "late":
                    self._move(state, host, upload_id, compare_only, lost=fault == "lost")
                case Complete(upload_id) if fault != "late":
                    self._complete(state, host, upload_id, number, lost=fault == "lost")
                case _:
                    return None
        except TurbouploadError as error:
            if fault:
                return None
            host.ended = type(error).__name__
            return f"ends: {error}"
        if upload.patience is not patience:
            host.all_old = upload.patience._left_s == PATIENCE_S
        return f"{type(action).__name__}{f' ({fault})' if fault else ''}"

    @staticmethod
    def _receive(host: _Host, event: Event) -> None:
        known = host.upload.record
        news = not isinstance(event, StatusSeen) or known is None or known != event.record
        if news and isinstance(event, JOURNALLED):
            host.journal += (event,)
        host.upload.receive(event)

    def _create(self, state: _State, host: _Host, token: str, *, lost: bool) -> None:
        service = state.service
        known = [each for each in service.uploads if each.token == token]
        if known and self._limits.tokens:
            upload = known[0]
        else:
            upload = _Open(str(1_000_000_000 + len(service.uploads)), token)
            self._change(state, replace(service, uploads=(*service.uploads, upload)))
        if not lost:
            opened = Opened(upload_id=upload.upload_id, adopted=False, part_size=PART_BYTES)
            self._receive(host, opened)

    def _move(
        self, state: _State, host: _Host, upload_id: str, compare_only: bool, *, lost: bool
    ) -> None:
        work = host.upload.ledger.take(compare_only=compare_only)
        upload = state.service.find(upload_id)
        assert upload is not None
        match work:
            case SendPart(part) if upload.read_set_id is None:
                parts = upload.parts | {part.number}
                self._change(state, state.service.replaced(replace(upload, parts=parts)))
                # The same call is made again where its answer is lost.
                self._receive(host, _seen(part, "sent"))
            case SendPart():
                self._receive(host, UploadGone())
            case CheckPart(part):
                digest = _digest(part.number)
                checksum = host.upload.ledger.confirmed(part, digest)
                event = PartSeen(part=part, digest=digest, checksum=checksum, origin="checked")
                self._receive(host, event)
            case _:
                gone = not self._listed(state.service, upload)
                self._receive(host, PartsListed(() if gone else _rows(upload)))

    def _complete(
        self, state: _State, host: _Host, upload_id: str, number: int, *, lost: bool
    ) -> None:
        upload = state.service.find(upload_id)
        assert upload is not None
        if upload.read_set_id is not None:
            self._receive(host, CompleteLost(gone=not lost))
            return
        read_set_id = str(2_000_000_000 + int(upload_id))
        made = state.service.replaced(replace(upload, read_set_id=read_set_id))
        self._change(state, made)
        if lost:
            self._receive(host, CompleteLost())
        else:
            self._receive(host, Completed(read_set_id=read_set_id))

    # --- all of them ------------------------------------------------------------------------

    def run(self) -> Explored:
        found = Explored()
        hosts = [_Host(_fresh(number)) for number in range(self._limits.hosts)]
        for host in hosts:
            host.upload.replay(())
        first = _packed(_State(hosts, _Service(), _Service(), self._limits.faults))
        came_from: dict[bytes, tuple[bytes, str] | None] = {_key(first): None}
        backwards: dict[bytes, list[bytes]] = {}
        ends: list[bytes] = []
        waiting = deque([first])
        while waiting:
            packed = waiting.popleft()
            key = _key(packed)
            found.states += 1
            if found.states >= self._limits.most_states:
                found.complete = False
                break
            try:
                following = list(self.successors(packed))
            except (ValueError, AssertionError, KeyError) as error:
                found.wrong.append(f"{error!r} after:\n{_way(came_from, key)}")
                continue
            if not following:
                ends.append(key)
            for what, state in following:
                after = _packed(state)
                next_key = _key(after)
                backwards.setdefault(next_key, []).append(key)
                if next_key in came_from:
                    continue
                came_from[next_key] = (key, what)
                if len(state.service.read_sets) > 1:
                    found.wrong.append(f"two read sets after:\n{_way(came_from, next_key)}")
                else:
                    waiting.append(after)
        found.ends = len(ends)
        if found.complete and not found.wrong:
            found.stuck = len(came_from) - _reaching(ends, backwards)
        return found


def _concerns_nobody_else(host: _Host) -> bool:
    try:
        return isinstance(host.upload.next(), Declare | Prove | Done)
    except TurbouploadError:
        return True


def _is_last_look(patience: Patience) -> bool:
    after = copy(patience)
    after.looked()
    return after.exhausted


def _rows(upload: _Open | None) -> tuple[UploadPart, ...]:
    numbers = sorted(upload.parts) if upload is not None else ()
    return tuple(
        UploadPart(PartSource.SOURCE1, number, PART_BYTES, _checksum(number)) for number in numbers
    )


def _seen(part: Part, origin: str) -> PartSeen:
    assert origin == "sent"
    return PartSeen(
        part=part, digest=_digest(part.number), checksum=_checksum(part.number), origin="sent"
    )


def _packed(state: _State) -> bytes:
    """A state without what can make no difference any more."""
    for number, host in enumerate(state.hosts):
        if host.ended or not state.faults:
            host.journal, host.all_old = (), True
        if host.ended:
            host.upload = _fresh(number)
    if not state.faults:
        state.before = state.service
    # Twice, so that what is shared in memory makes no difference.
    return pickle.dumps(pickle.loads(pickle.dumps(state)))  # noqa: S301 - pickled here


def _key(packed: bytes) -> bytes:
    return hashlib.blake2b(packed, digest_size=16).digest()


def _way(came_from: dict[bytes, tuple[bytes, str] | None], key: bytes) -> str:
    steps: list[str] = []
    step = came_from[key]
    while step is not None:
        steps.append(f"  {step[1]}")
        step = came_from[step[0]]
    return "\n".join(reversed(steps))


def _reaching(ends: list[bytes], backwards: dict[bytes, list[bytes]]) -> int:
    """From how many states an end can be reached."""
    reached = set(ends)
    waiting = deque(ends)
    while waiting:
        for before in backwards.get(waiting.popleft(), ()):
            if before not in reached:
                reached.add(before)
                waiting.append(before)
    return len(reached)


def explore(limits: Limits) -> Explored:
    """Visits every state."""
    with _copyable():
        return _Explorer(limits).run()
