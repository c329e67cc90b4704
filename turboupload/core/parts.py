"""What is known of each part, and what is still to be done with it.

A part is done only on proof: the service has it, with the right size, and its checksum equals
ours, computed of exactly these bytes; or, where the checksum has no form we can compute, it is the
very string that the service gave when these bytes were sent.

The facts come in any order (a listing, the journal, a reply, a local read), and the verdict is
drawn from all of them together:

| the service has it   | we know our bytes   | checksum               | verdict |
|----------------------|---------------------|------------------------|---------|
| no, or another size  | -                   | -                      | SEND    |
| yes                  | no                  | can be computed        | CHECK   |
| yes                  | no                  | opaque or absent       | SEND    |
| yes                  | yes                 | equals our SHA-256     | PROVEN  |
| yes                  | yes                 | is not our SHA-256     | SEND    |
| yes                  | yes                 | opaque, as recorded    | PROVEN  |
| yes                  | yes                 | opaque, another string | SEND    |
| yes                  | yes                 | absent, none recorded  | SEND    |
| yes                  | only xxh3           | as recorded            | PROVEN  |
| yes                  | only xxh3           | another, computable    | CHECK   |
| yes                  | only xxh3           | another, opaque        | SEND    |

Where a listing leaves the checksum out, the one that the service gave in reply to these very bytes
stands in for it, if the journal has it. That is proof in the sense above: number and size are
listed, the string was compared with our SHA-256 when it came, and Complete hands it back, so that
the service compares it with what it has by then. It holds only while nothing says that others may
have replaced the part: an upload that was gone on with from other files forgets it (`Upload`).
Without the journal's record there is nothing to compare, and the part is sent again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto

from turboupload.core.checksum import compare, read_sha256
from turboupload.core.events import PartSeen
from turboupload.core.model import Digest, ListedPart, Part, PartSource, Verified
from turboupload.core.plan import Plan
from turboupload.errors import IntegrityError

__all__ = ["CheckPart", "PartLedger", "SendPart", "Verdict", "Work"]

MAX_WRONG_REPLIES = 3
"""How often a part may come back with a wrong checksum before we stop trusting the path."""

_Key = tuple[PartSource, int]


class Verdict(Enum):
    """What is to be done with a part."""

    SEND = auto()
    CHECK = auto()
    PROVEN = auto()


@dataclass(frozen=True, slots=True)
class SendPart:
    """Read the part, send it, and report what came back."""

    part: Part


@dataclass(frozen=True, slots=True)
class CheckPart:
    """Read the part and report its digest, so that it can be compared with the service's."""

    part: Part


Work = SendPart | CheckPart


@dataclass(slots=True)
class _Known:
    """The facts about one part."""

    digest: Digest | None = None
    recorded: str | None = None
    """The service's string in reply to the bytes of `digest`."""
    listed_size: int | None = None
    listed: str | None = None
    wrong_replies: int = 0
    sent_now: bool = False

    @property
    def checksum(self) -> str | None:
        """The service's string: listed, or where the listing has none, given in reply."""
        return self.listed if self.listed is not None else self.recorded

    def verdict(self, size: int) -> Verdict:
        if self.listed_size != size:
            return Verdict.SEND
        computable = read_sha256(self.checksum) is not None
        if self.digest is None:
            return Verdict.CHECK if computable else Verdict.SEND
        as_recorded = self.checksum is not None and self.checksum == self.recorded
        if self.digest.sha256 is None:
            if as_recorded:
                return Verdict.PROVEN
            return Verdict.CHECK if computable else Verdict.SEND
        match compare(self.checksum, self.digest.sha256):
            case "equal":
                return Verdict.PROVEN
            case "opaque":
                return Verdict.PROVEN if as_recorded else Verdict.SEND
            case "differs":
                return Verdict.SEND

    def is_strange(self, size: int) -> bool:
        """Whether the service has it from somebody else, and it isn't these bytes."""
        if self.listed_size is None or self.recorded is not None:
            return False
        if self.listed_size != size:
            return True
        if self.digest is None or self.digest.sha256 is None:
            return False
        return compare(self.checksum, self.digest.sha256) == "differs"

    def verified(self) -> Verified:
        if self.digest is None or self.digest.sha256 is None:
            return "none"
        return "sha256" if compare(self.checksum, self.digest.sha256) == "equal" else "opaque"


class PartLedger:
    """All parts of one upload.

    Attributes:
        plan: How the sources are cut.
        proven_parts: How many parts are done.
        proven_bytes: Their bytes.
        reused_parts: How many of them were not sent by this run.
        reused_bytes: Their bytes.
        to_compare: How many parts the service has whose bytes here were never read.
        strange: How many it has from somebody else that are not of these files.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.to_compare = 0
        self.strange = 0
        self.proven_parts = 0
        self.proven_bytes = 0
        self.reused_parts = 0
        self.reused_bytes = 0
        self._known: dict[_Key, _Known] = {}
        self._rest: Iterator[Part] = plan.parts()
        self._again: deque[Part] = deque()

    @property
    def all_proven(self) -> bool:
        """Whether the read set can be completed."""
        return self.proven_parts == self.plan.total_parts

    def verdict(self, part: Part) -> Verdict:
        """What is to be done with a part, by all that is known now."""
        known = self._known.get((part.source, part.number))
        return known.verdict(part.size) if known else Verdict.SEND

    def listed(self, parts: tuple[ListedPart, ...]) -> None:
        """Takes the service's listing in: the whole truth about what it has."""
        rows = {(row.source, row.number): row for row in parts}
        # Nothing is in flight while a listing is taken in: every part is looked at again.
        self.rewind()
        for key in self._known.keys() | rows.keys():
            part = self.plan.part(*key)
            if part is None:
                continue
            row = rows.get(key)
            with _Counted(self, part) as known:
                known.listed_size = row.size if row else None
                known.listed = row.checksum if row else None

    def seen(self, event: PartSeen) -> None:
        """Takes in what we know of a part's bytes.

        Raises:
            IntegrityError: The service keeps answering with a checksum that isn't ours.
        """
        part = self.plan.part(event.part.source, event.part.number)
        if part != event.part:
            return
        with _Counted(self, part) as known:
            known.digest = event.digest
            if event.checksum is not None:
                known.recorded = event.checksum
            if event.origin == "sent":
                known.listed_size, known.listed = part.size, event.checksum
                known.sent_now = True
        if event.origin == "journal":
            return
        if self.verdict(part) is not Verdict.PROVEN:
            if event.origin == "sent":
                self._count_wrong_reply(part)
            self._again.append(part)

    def confirmed(self, part: Part, digest: Digest) -> str | None:
        """The service's string for a part, where it is that of these very bytes."""
        known = self._known.get((part.source, part.number))
        if known is None or digest.sha256 is None:
            return None
        return known.listed if compare(known.listed, digest.sha256) == "equal" else None

    @property
    def complete_for_others(self) -> bool:
        """Whether the service has every part, and some of them were never read here."""
        return self.to_compare > 0 and self.listed_parts == self.plan.total_parts

    def rewind(self) -> None:
        """Begins again with what is to be done; nothing may be under way."""
        self._again.clear()
        self._rest = self.plan.parts()

    def holds(self, parts: Iterable[ListedPart]) -> bool:
        """Whether each of these parts, of some upload, is one of ours: its size and its string."""
        for row in parts:
            part = self.plan.part(row.source, row.number)
            known = self._known.get((row.source, row.number))
            if part is None or known is None or row.size != part.size:
                return False
            if row.checksum is None or row.checksum != known.checksum:
                return False
        return True

    def completed(self) -> None:
        """The service made the read set of the parts as recorded: that is what it had."""
        for (source, number), known in self._known.items():
            part = self.plan.part(source, number)
            if part is not None and known.recorded is not None:
                with _Counted(self, part):
                    known.listed_size, known.listed = part.size, known.recorded

    def take(self, *, compare_only: bool = False) -> Work | None:
        """The next thing to do, in the order of the files; None while there is nothing.

        Whoever takes a part brings it back as a `PartSeen`.

        Args:
            compare_only: Pass over what is to be sent; a listing brings it back.
        """
        while (part := self._next_part()) is not None:
            match self.verdict(part):
                case Verdict.SEND if compare_only:
                    continue
                case Verdict.SEND:
                    return SendPart(part)
                case Verdict.CHECK:
                    return CheckPart(part)
                case Verdict.PROVEN:
                    continue
        return None

    def for_complete(self) -> tuple[ListedPart, ...]:
        """The parts as Complete wants them, with exactly the strings the service gave."""
        rows = []
        for part in self.plan.parts():
            known = self._known[part.source, part.number]
            rows.append(ListedPart(part.source, part.number, part.size, known.checksum))
        return tuple(rows)

    def digests(self) -> Iterator[tuple[Part, Digest, str | None]]:
        """Each part whose bytes we know, with its digest and the service's string."""
        for part in self.plan.parts():
            known = self._known.get((part.source, part.number))
            if known is not None and known.digest is not None:
                yield part, known.digest, known.recorded or known.listed

    @property
    def listed_parts(self) -> int:
        """How many parts the service has, with the right size, by its last listing."""
        return sum(known.listed_size is not None for known in self._known.values())

    def verified_part(self, part: Part) -> Verified:
        """How one part is proven; `none` also where it isn't."""
        known = self._known.get((part.source, part.number))
        if known is None or known.verdict(part.size) is not Verdict.PROVEN:
            return "none"
        return known.verified()

    @property
    def verified(self) -> Verified:
        """How the parts were proven, by the weakest of them."""
        weakest: Verified = "sha256"
        for known in self._known.values():
            match known.verified():
                case "none":
                    return "none"
                case "opaque":
                    weakest = "opaque"
        return weakest if self._known else "none"

    def _next_part(self) -> Part | None:
        return self._again.popleft() if self._again else next(self._rest, None)

    def _count_wrong_reply(self, part: Part) -> None:
        known = self._known[part.source, part.number]
        known.wrong_replies += 1
        if known.wrong_replies >= MAX_WRONG_REPLIES:
            source = self.plan.source(part.source)
            raise IntegrityError(
                f"part {part.number} was sent {MAX_WRONG_REPLIES} times, and each time the "
                f"service's checksum ({known.listed}) was not that of the bytes we read",
                path=source.path if source else None,
                operation="UploadReadSetPart",
                hint="something between this disk and the service changes bytes: check memory, "
                "disk and proxies, then run the same command again",
            )


class _Counted:
    """Keeps the ledger's counters right while the facts about one part change."""

    def __init__(self, ledger: PartLedger, part: Part) -> None:
        self._ledger = ledger
        self._part = part

    def __enter__(self) -> _Known:
        known = self._ledger._known.setdefault((self._part.source, self._part.number), _Known())
        self._count(known, -1)
        return known

    def __exit__(self, *_: object) -> None:
        self._count(self._ledger._known[self._part.source, self._part.number], +1)

    def _count(self, known: _Known, sign: int) -> None:
        ledger, size = self._ledger, self._part.size
        verdict = known.verdict(size)
        ledger.to_compare += sign * (verdict is Verdict.CHECK)
        ledger.strange += sign * known.is_strange(size)
        if verdict is not Verdict.PROVEN:
            return
        ledger.proven_parts += sign
        ledger.proven_bytes += sign * size
        if not known.sent_now:
            ledger.reused_parts += sign
            ledger.reused_bytes += sign * size
