"""What is known of one part, and the verdict that follows from it.

A part is done only on proof: the service has it, with the right size, and its checksum equals
ours, computed of exactly these bytes; or, where the checksum has no form we can compute, it is the
very string that the service gave when these bytes were sent.

The facts come in any order (a listing, the journal, a reply, a local read), and the verdict is
drawn from all of them together. Of a part that this run hasn't sent, or has sent and seen listed
since:

| the service has it    | we know our bytes   | checksum               | verdict |
|-----------------------|---------------------|------------------------|---------|
| no, nor was it sent   | -                   | -                      | SEND    |
| no, but it was sent   | yes                 | -                      | LIST    |
| with another size     | -                   | -                      | SEND    |
| yes                   | no                  | can be computed        | CHECK   |
| yes                   | no                  | opaque or absent       | SEND    |
| yes                   | yes                 | equals our SHA-256     | PROVEN  |
| yes                   | yes                 | is not our SHA-256     | SEND    |
| yes                   | yes                 | opaque, as recorded    | PROVEN  |
| yes                   | yes                 | opaque, another string | SEND    |
| yes                   | yes                 | absent, none recorded  | SEND    |
| yes                   | only xxh3           | as recorded            | PROVEN  |
| yes                   | only xxh3           | another, computable    | CHECK   |
| yes                   | only xxh3           | another, opaque        | SEND    |

Of a part that this run has sent, before a listing has shown it:

| the reply's checksum               | verdict |
|------------------------------------|---------|
| equals our SHA-256                 | PROVEN  |
| is not our SHA-256                 | SEND    |
| opaque, or nothing to compare with | LIST    |
"""

from __future__ import annotations

from datetime import datetime
from enum import Enum, auto
from typing import Literal

from msgspec import Struct

from turboupload.core.model import Part
from turboupload.core.proof.checksum import (
    Algorithm,
    Digest,
    Match,
    Verified,
    compare,
    is_computable,
    proven_by,
    same,
)
from turboupload.core.upload.events import PartSeen
from turboupload.errors import IntegrityError, Stopped
from turboupload.value import Value

__all__ = ["Others", "PartFacts", "PartRow", "Verdict", "give_up"]

Others = Literal["strange", "cut short", "replaced"] | None
"""What another run or host has sent in place of a part: other bytes, or perhaps its beginning; or
other bytes after ours had arrived."""


class Verdict(Enum):
    """What is to be done with a part."""

    SEND = auto()
    CHECK = auto()
    LIST = auto()
    """Nothing, until a listing shows the part, or hasn't shown it for long enough."""
    PROVEN = auto()


class PartRow(Value, frozen=True):
    """What a listing says of a part."""

    size: int
    checksum: str | None
    updated_at: datetime | None


class PartFacts(Struct):
    """The facts about one part.

    Attributes:
        digest: Of its bytes.
        recorded: The service's string in reply to the bytes of `digest`.
        others: The replies to these bytes that have a SHA-256's form and another value.
        row: As last listed.
        before: The row when the part was last sent: a listing that lags shows it again.
        sends: How often this run has sent it.
        shown: Whether the row describes what this run has sent.
        stale: Whether the last listing may have shown what was there before the part was sent.
        missed: How many listings in a row didn't have the part, since it was sent.
        overdue: Whether no listing has shown it for as long as a listing may lag.
    """

    digest: Digest | None = None
    recorded: str | None = None
    others: frozenset[str] = frozenset()
    row: PartRow | None = None
    before: PartRow | None = None
    sends: int = 0
    shown: bool = False
    stale: bool = False
    missed: int = 0
    overdue: bool = False

    @property
    def checksum(self) -> str | None:
        """The service's string: listed, or where the listing has none, given in reply."""
        if self.row is None or self.row.checksum is None:
            return self.recorded
        # In reply to what was just sent it has the last word, where both are of the same bytes.
        return self.recorded if self.sends and self.recorded is not None else self.row.checksum

    @property
    def strings(self) -> tuple[str | None, str | None]:
        """What the service replied with, and what it lists."""
        return self.recorded, self.row.checksum if self.row is not None else None

    @property
    def _unshown(self) -> bool:
        return self.sends > 0 and not self.shown

    def _fits(self, size: int) -> bool:
        """Whether nothing in the row contradicts that it is the part that was sent."""
        if self.row is None or self.row.size != size:
            return False
        return self.row.checksum is None or same(self.row.checksum, self.recorded)

    def match(self, checksum: str | None, algorithm: Algorithm | None) -> Match:
        """How a checksum of the service compares with our bytes; `opaque` without their SHA-256."""
        if self.digest is None:
            return "opaque"
        found = compare(checksum, self.digest)
        return "opaque" if found == "differs" and algorithm == "another" else found

    def verdict(self, size: int, algorithm: Algorithm | None) -> Verdict:
        """What is to be done with the part, by the tables above.

        Args:
            size: Of the part, in bytes.
            algorithm: What the service's checksums are, as far as it is known.
        """
        if self._unshown:
            return self._by_reply(size, algorithm)
        if self.row is None:
            # Recorded as sent, by an earlier run, perhaps a moment ago.
            waits = self.recorded is not None and not self.overdue
            return Verdict.LIST if waits else Verdict.SEND
        if self.row.size != size:
            return Verdict.SEND
        return self._by_row(algorithm)

    def _by_reply(self, size: int, algorithm: Algorithm | None) -> Verdict:
        match self.match(self.recorded, algorithm):
            case "differs":
                return Verdict.SEND
            case "equal":
                # One listing may lag. Another that lacks it was asked for because something is
                # amiss, such as a Complete that was refused.
                if self.missed < 2 and (not self.stale or self._fits(size)):
                    return Verdict.PROVEN
                return Verdict.SEND if self.overdue else Verdict.LIST
            case "opaque":
                if not self.overdue:
                    return Verdict.LIST
                # A listing that never shows the string of the reply, and a size that is right:
                # they need not be written alike, and there is nothing else to go by.
                right = self.stale and self.row is not None and self.row.size == size
                return Verdict.PROVEN if right else Verdict.SEND

    def _by_row(self, algorithm: Algorithm | None) -> Verdict:
        assert self.row is not None
        checksum = self.row.checksum if self.row.checksum is not None else self.recorded
        computable = algorithm != "another" and is_computable(checksum)
        if self.digest is None:
            return Verdict.CHECK if computable else Verdict.SEND
        as_recorded = same(checksum, self.recorded)
        if not self.digest.provable:
            if as_recorded or self.sends > 1:
                return Verdict.PROVEN
            return Verdict.CHECK if computable else Verdict.SEND
        match self.match(checksum, algorithm):
            case "equal":
                return Verdict.PROVEN
            case "opaque":
                return Verdict.PROVEN if as_recorded or self.sends > 1 else Verdict.SEND
            case "differs":
                return Verdict.SEND

    def of_others(self, size: int, algorithm: Algorithm | None) -> Others:
        """What another run or host has sent in place of the part, where that isn't the part."""
        if self.row is None:
            return None
        if self.recorded is not None:
            arrived = not self._unshown and self.match(self.recorded, algorithm) == "equal"
            # A smaller one may be ours, cut short; a larger one is of a longer file.
            other = self.row.size > size or (
                self.row.size == size and self.match(self.row.checksum, algorithm) == "differs"
            )
            return "replaced" if arrived and other else None
        if self.row.size != size:
            return "cut short" if self.row.size < size else "strange"
        return "strange" if self.match(self.row.checksum, algorithm) == "differs" else None

    def verified(self) -> Verified:
        """How the service's checksum proves our bytes."""
        return "none" if self.digest is None else proven_by(self.checksum, self.digest)

    def take_in_listed(self, row: PartRow | None, size: int) -> None:
        """Takes in what a listing says now; it may not show yet what was just sent."""
        self.row = row
        self.missed = self.missed + 1 if row is None else 0
        if not self._unshown or row is None:
            self.stale = False
            return
        told_apart = self._fits(size) and row.checksum is not None
        self.stale = (row == self.before or self._unlike_the_reply(row)) and not told_apart
        self.shown = not self.stale

    def _unlike_the_reply(self, row: PartRow) -> bool:
        """Whether the listing may lag and still show what an earlier run had sent.

        Where the reply proves our bytes, a lag alone doesn't explain a row with other bytes.
        """
        if row.checksum is None or self.recorded is None:
            return False
        return not same(row.checksum, self.recorded) and self.match(self.recorded, None) != "equal"

    def take_in_seen(self, event: PartSeen) -> None:
        """Takes in what is known of the bytes, and the service's checksum of them."""
        if self.digest is None or self.digest.fingerprint != event.digest.fingerprint:
            self.recorded, self.others, self.digest = None, frozenset(), event.digest
        if event.digest.provable:
            self.digest = event.digest
        if event.checksum is not None:
            self.recorded = event.checksum
            if self.match(event.checksum, None) == "differs":
                self.others |= {event.checksum}
        if event.origin == "sent":
            self.sends += 1
            self.before = self.row
            self.shown = self.stale = self.overdue = False
            self.missed = 0


def give_up(
    part: Part, known: PartFacts, algorithm: Algorithm | None, *, path: str | None
) -> IntegrityError | Stopped:
    """The error for a part that was sent as often as a run sends one, and isn't there as sent.

    Args:
        part: The part.
        known: What is known of it.
        algorithm: What the service's checksums are.
        path: The file that the part is of.
    """
    sent = f"part {part.number} was sent {known.sends} times"
    if known.match(known.recorded, algorithm) == "differs":
        how = (
            "in the same way each time: look for a proxy or filter that changes what it passes"
            if len(known.others) == 1
            else "and not always in the same way: check memory, disk and proxies"
        )
        return IntegrityError(
            f"{sent}, and the service's checksum ({known.recorded}) was not that of the bytes "
            "we read",
            path=path,
            operation="UploadReadSetPart",
            hint=f"something between this disk and the service changes bytes, {how}; then run "
            "the same command again",
        )
    if known.row is None:
        return Stopped(
            f"{sent}, and the service still does not list it",
            path=path,
            operation="ListReadSetUploadParts",
            hint="nothing was completed, and nothing is lost: run the same command again later",
        )
    what = (
        f"with {known.row.size:,} of its {part.size:,} bytes"
        if known.row.size != part.size
        else f"with another checksum ({known.row.checksum}) than it answered with"
    )
    return IntegrityError(
        f"{sent}, and the service lists it {what}",
        path=path,
        operation="ListReadSetUploadParts",
        hint="the part was read whole here, and the service took it; nothing was completed. "
        "Run the same command again later; if this stays, ask AWS support about the upload",
    )
