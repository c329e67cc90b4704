"""The ledger of an upload's parts: what each still needs, and which part comes next.

The verdict on each part comes from `facts`, the algorithm of the service's checksums from
`algorithm`, and what happens where another host cuts the files differently from `cuts`.

**Listing before Complete.** Where the reply's checksum equals our SHA-256 of the whole part, the
reply proves that all of it arrived: one that was cut short has another SHA-256. Anything else says
nothing of the size, so the parts are listed again before Complete, and one with another size is
sent again. A page has 100 rows and the quota is 5 pages a second, so of an upload of 10,000 parts
that takes 20 s, once. An upload of at most `CHEAP_PAGES` pages is listed in any case: with one
Complete a second that leaves some of the quota to those who look what there is to go on with.

How soon a listing shows what was just sent is not documented. So a row that is missing, or still
as it was before the part was sent, says nothing while there is `Patience`; then what is missing is
sent again. `MAX_SENDS` bounds how often. What can't be told: where rows have neither checksum nor
time, a row that lags may be of what a run had sent whose journal is lost.

Where a listing leaves the checksum out, the one that the service gave in reply to these very bytes
stands in for it, if the journal has it. That is proof in the sense above: number and size are
listed, the string was compared with our SHA-256 when it came, and Complete hands it back, so that
the service compares it with what it has by then. It holds only while nothing says that others may
have replaced the part: an upload that was continued from other files forgets it (`Upload`).
Without the journal's record there is nothing to compare, and the part is sent again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from turboupload import limits
from turboupload.core.model import Part, PartSource
from turboupload.core.proof.checksum import (
    SPELLINGS,
    Algorithm,
    Digest,
    Match,
    Spelling,
    Verified,
    compare,
    same,
    spelled,
    spelling_of,
)
from turboupload.core.records import UploadPart
from turboupload.core.upload.early_parts import EarlyParts
from turboupload.core.upload.events import PartSeen
from turboupload.core.upload.parts.algorithm import ChecksumAlgorithm
from turboupload.core.upload.parts.counts import PartCounts
from turboupload.core.upload.parts.cuts import cut_to_take, is_of_other_files, may_be_cut_short
from turboupload.core.upload.parts.facts import PartFacts, PartRow, Verdict, give_up
from turboupload.core.upload.parts.work import CheckPart, ListAgain, SendPart, Work
from turboupload.core.upload.patience import Patience
from turboupload.core.upload.plan import Plan

__all__ = ["PartLedger"]

MAX_SENDS = 3
"""How often a run sends a part; if it isn't there as it was read then, the path isn't trusted."""

CHEAP_PAGES = 3
"""Pages of parts that are listed before Complete although the replies have proven them."""

_Key = tuple[PartSource, int]


class PartLedger:
    """All parts of one upload.

    Args:
        plan: How the sources are cut.
        patience_s: How long to look for what a listing doesn't show, in seconds; longer than a
            listing may lag.
        former: The ledger of the cut before this one, in the same upload. Its parts that we sent
            may be listed, and, as the documentation leaves it open, the beginning of one that was
            taken back.

    Attributes:
        plan: As given.
        counts: How many parts are in which state.
        of_other_files: Whether the service lists parts that these files don't have.
    """

    def __init__(
        self, plan: Plan, patience_s: float = 75.0, *, former: PartLedger | None = None
    ) -> None:
        self.plan = plan
        self.counts = PartCounts()
        self.of_other_files = False
        self._former = former
        self._checksums = ChecksumAlgorithm()
        self._known: dict[_Key, PartFacts] = {}
        self._rest: Iterator[Part] = plan.in_sending_order()
        self._again: deque[Part] = deque()
        self._out: set[_Key] = set()
        self._unlisted = False
        self._listing = self._passed_over = False
        self._early: EarlyParts | None = None
        self._patience_s = patience_s
        self._patience = Patience(patience_s)

    @property
    def algorithm(self) -> Algorithm | None:
        """What the service's checksums are, as far as it is known."""
        return self._checksums.known

    @property
    def all_proven(self) -> bool:
        """Whether every part is there, by all that is known."""
        return self.counts.proven_parts == self.plan.total_parts and not self.plan.open_ended

    @property
    def must_list(self) -> bool:
        """Whether the service is to be asked once more what it has, and nothing else is left."""
        if self.plan.open_ended or self.counts.arrived_parts < self.plan.total_parts:
            return False
        return self.counts.waiting_parts > 0 or (self._unlisted and self._listing_is_cheap)

    @property
    def ready(self) -> bool:
        """Whether the read set can be completed."""
        return self.all_proven and not self.must_list

    def extend(self, plan: Plan) -> None:
        """Takes in that more of a stream was read, or its end; the cut is the same.

        Args:
            plan: With all parts of before, and those that came since.
        """
        there, self.plan = self.plan.total_parts, plan
        which = plan.sources[0].part_source
        new = (plan.part(which, number) for number in range(there + 1, plan.total_parts + 1))
        self._again.extend(part for part in new if part is not None)

    def verdict(self, part: Part) -> Verdict:
        """What is to be done with a part, by all that is known now."""
        known = self._known.get((part.source, part.number))
        return known.verdict(part.size, self.algorithm) if known else Verdict.SEND

    def assume(self, algorithm: Algorithm | None) -> None:
        """Takes in what another upload has shown of the service's checksums."""
        self._checksums.assume(algorithm)
        self._judge_algorithm()

    def listed(self, parts: tuple[UploadPart, ...]) -> None:
        """Takes the service's listing in: all that it shows now.

        Raises:
            IntegrityError: A part that was sent again and again is not listed as it was sent.
            Stopped: It is not listed at all.
        """
        rows = {
            (row.source, row.number): PartRow(row.size, row.checksum, row.updated_at)
            for row in parts
        }
        self.of_other_files = any(is_of_other_files(row, self.plan.sources) for row in parts)
        sent_early = self._early.sent if self._early is not None else set()
        self._early = None
        for key in (self._known.keys() | rows.keys()) - sent_early:
            part = self.plan.part(*key)
            if part is None:
                continue
            with _Counted(self, part) as known:
                known.take_in_listed(rows.get(key), part.size)
            self._checksums.seen(known)
        # Every part is looked at again; none is in flight but those sent early.
        out = self._out & sent_early
        self.rewind()
        self._out |= out
        self._unlisted = bool(sent_early)
        self._judge_algorithm()
        self._lose_patience()
        for part, known in self._parts_known():
            if self.verdict(part) is Verdict.SEND:
                self._check_sends(part, known)

    def begin_listing(self) -> None:
        """Lists all parts, and meanwhile sends those that no other run can have sent."""
        self.rewind()
        self._early = EarlyParts(self.plan, self._known)

    def page(self, rows: Sequence[UploadPart]) -> None:
        """Takes in a page of the listing that a paged `ListAgain` asks for."""
        if self._early is not None:
            as_recorded = all(self._is_as_recorded(row) for row in rows)
            self._early.page(as_recorded=as_recorded)

    def _is_as_recorded(self, row: UploadPart) -> bool:
        key = (row.source, row.number)
        if self._early is not None and key in self._early.sent:
            return True
        part, known = self.plan.part(*key), self._known.get(key)
        if part is None or known is None or row.size != part.size:
            return False
        return row.checksum is None or same(row.checksum, known.recorded)

    def seen(self, event: PartSeen) -> None:
        """Takes in what we know of a part's bytes.

        Raises:
            IntegrityError: The service keeps answering with a checksum that isn't ours.
        """
        part = self.plan.part(event.part.source, event.part.number)
        if part != event.part:
            return
        with _Counted(self, part) as known:
            listed = known.row.checksum if event.origin == "sent" and known.row else None
            before = {*known.others, listed}
            known.take_in_seen(event)
        if event.checksum is not None:
            self._checksums.replied(known, event.checksum, before=before)
        self._checksums.seen(known)
        if event.origin == "sent":
            self._unlisted = True
            self._patience = Patience(self._patience_s)
        self._judge_algorithm()
        if event.origin == "journal":
            return
        self._out.discard((part.source, part.number))
        if self._checksums.ends_trial(part, known):
            self._look_again()
        verdict = self.verdict(part)
        if verdict is Verdict.SEND:
            self._check_sends(part, known)
        if verdict in (Verdict.SEND, Verdict.CHECK):
            self._again.append(part)

    def confirmed(self, part: Part, digest: Digest) -> str | None:
        """The service's string for a part, where it is that of these very bytes."""
        known = self._known.get((part.source, part.number))
        if known is None or known.row is None:
            return None
        checksum = known.row.checksum
        return checksum if compare(checksum, digest) == "equal" else None

    @property
    def bytes_there(self) -> int:
        """How many bytes the service has, by all that is known, from any run or host."""
        return sum(
            part.size
            for part, known in self._parts_known()
            if known.row is not None or known.recorded is not None
        )

    @property
    def has_sent(self) -> bool:
        """Whether the service took a part from this run."""
        return any(known.sends for known in self._known.values())

    @property
    def complete_for_others(self) -> bool:
        """Whether the service has every part, and some of them were never read here."""
        return self.counts.to_compare > 0 and self.listed_parts == self.plan.total_parts

    @property
    def complete_before(self) -> bool:
        """Whether the service has every part, and took none from this run."""
        return not self.has_sent and 0 < self.listed_parts == self.plan.total_parts

    def rewind(self) -> None:
        """Starts over with the parts that are still needed; none may be in flight."""
        self._out.clear()
        self._checksums.forget_trial()
        self._listing = False
        self._look_again()

    def contradicted_by(self, parts: Iterable[UploadPart]) -> bool:
        """Whether one of these parts, of some upload that is cut like ours, has other bytes.

        A checksum that is missing or opaque contradicts nothing: such a string may be another one
        for the same bytes in another upload.
        """
        for row in parts:
            part = self.plan.part(row.source, row.number)
            known = self._known.get((row.source, row.number))
            if part is None or row.size != part.size:
                return True
            if known is not None and known.match(row.checksum, self.algorithm) == "differs":
                return True
        return False

    def repeated_by(self, parts: Sequence[UploadPart]) -> bool:
        """Whether each of these parts, of some upload, has the string of ours."""
        known = ((row, self._known.get((row.source, row.number))) for row in parts)
        return bool(parts) and all(
            each is not None and row.checksum is not None and same(row.checksum, each.checksum)
            for row, each in known
        )

    def completed(self) -> None:
        """The service made the read set of the parts as recorded: that is what it had."""
        for part, known in self._parts_known():
            if known.recorded is None:
                continue
            with _Counted(self, part):
                known.row = PartRow(part.size, known.recorded, None)
                known.shown, known.stale = True, False
            self._checksums.seen(known)
            self._checksums.completed(known)
        self._judge_algorithm()

    def take(self, *, compare_only: bool = False) -> Work | None:
        """The next thing to do, in the order of the files; None while there is nothing.

        The caller answers a part with a `PartSeen`, and a listing with `listed`.

        Args:
            compare_only: Skip the parts to send, for now.
        """
        if self._early is not None:
            return self._take_early(self._early)
        if self._passed_over and not compare_only:
            self._look_again()
        while (part := self._next_part()) is not None:
            key = (part.source, part.number)
            if key in self._out:
                continue
            verdict = self.verdict(part)
            if verdict is Verdict.SEND and compare_only:
                self._passed_over = True
                continue
            if verdict is Verdict.SEND and not self._checksums.may_send(part, self._known.get(key)):
                continue
            if verdict in (Verdict.SEND, Verdict.CHECK):
                self._out.add(key)
                return SendPart(part) if verdict is Verdict.SEND else CheckPart(part)
        if self.must_list and not self._listing and not compare_only:
            self._listing = True
            return ListAgain(self._patience.pause_s)
        return None

    def _take_early(self, early: EarlyParts) -> Work | None:
        if not self._listing:
            self._listing = True
            return ListAgain(paged=True)
        if (part := early.take()) is None:
            return None
        self._out.add((part.source, part.number))
        return SendPart(part)

    @property
    def spellings(self) -> tuple[Spelling, ...]:
        """How the service writes the parts' checksums: first in its replies to this run.

        Where there were none, so that a listing may have told all that is known, any other way may
        be that of its replies.
        """
        known = sorted((each for _, each in self._parts_known()), key=lambda each: not each.sends)
        columns = zip(*(each.strings for each in known), strict=True)
        found = dict.fromkeys(spelling_of(each) for column in columns for each in column)
        found.pop(None, None)
        others = SPELLINGS if found and not self.has_sent else ()
        return tuple(dict.fromkeys(each for each in (*found, *others) if each is not None))

    def spelling(self, *, refused: Spelling | None = None) -> Spelling | None:
        """How Complete is to write the parts' checksums; None leaves each as the service gave it.

        Which of two ways Complete takes, where replies and listings write digests in two, isn't
        documented.

        Args:
            refused: The way in which it didn't take them.
        """
        return next((each for each in self.spellings if each != refused), refused)

    def for_complete(self, spelling: Spelling | None = None) -> tuple[UploadPart, ...]:
        """The parts as Complete wants them, with the strings that the service gave.

        Args:
            spelling: How digests are to be written.
        """
        rows = []
        for part in self.plan.parts():
            checksum = self._known[part.source, part.number].checksum
            if checksum is not None and spelling is not None:
                checksum = spelled(checksum, spelling)
            rows.append(UploadPart(part.source, part.number, part.size, checksum))
        return tuple(rows)

    def digests(self) -> Iterator[tuple[Part, Digest, str | None]]:
        """Each part whose bytes we know, with its digest and the service's string."""
        for part in self.plan.parts():
            known = self._known.get((part.source, part.number))
            if known is not None and known.digest is not None:
                recorded, listed = known.strings
                yield part, known.digest, recorded or listed

    @property
    def listed_parts(self) -> int:
        """How many parts the service has, by its last listing."""
        return sum(known.row is not None for known in self._known.values())

    def cut_short(self) -> Iterator[tuple[Part, int]]:
        """Each part that this run has sent and the service lists with another size, with that."""
        for part, known in self._parts_known():
            if not known.sends or known.row is None:
                continue
            if known.row.size != part.size and self.verdict(part) is Verdict.SEND:
                yield part, known.row.size

    def sends(self, part: Part) -> int:
        """How often this run has sent a part."""
        known = self._known.get((part.source, part.number))
        return known.sends if known is not None else 0

    def match(self, part: Part) -> Match:
        """What the service's reply to a part says about its bytes."""
        known = self._known.get((part.source, part.number))
        return "opaque" if known is None else known.match(known.recorded, self.algorithm)

    @property
    def verified(self) -> Verified:
        """How the parts were proven, by the weakest of them."""
        weakest: Verified = "none"
        for known in self._known.values():
            found = known.verified()
            if found == "none":
                return found
            weakest = weakest if weakest == "opaque" else found
        return weakest

    @property
    def _listing_is_cheap(self) -> bool:
        pages = (-(-self.plan.count(each) // limits.MAX_PAGE_ROWS) for each in self.plan.sources)
        return sum(pages) <= CHEAP_PAGES

    def _next_part(self) -> Part | None:
        return self._again.popleft() if self._again else next(self._rest, None)

    def _look_again(self) -> None:
        self._passed_over = False
        self._again.clear()
        self._rest = self.plan.in_sending_order()

    def _judge_algorithm(self) -> None:
        if self._checksums.judge():
            self._look_again()
            self._count_all()

    # --- patience, and its end ----------------------------------------------------------------

    def _lose_patience(self) -> None:
        if not self.counts.waiting_parts:
            return
        self._patience.looked()
        if not self._patience.exhausted:
            return
        self._patience = Patience(self._patience_s)
        for part, known in self._parts_known():
            if self.verdict(part) is Verdict.LIST:
                with _Counted(self, part):
                    known.overdue = True

    def _check_sends(self, part: Part, known: PartFacts) -> None:
        if known.sends >= MAX_SENDS:
            source = self.plan.source(part.source)
            raise give_up(part, known, self.algorithm, path=source.path if source else None)

    # --- counting -----------------------------------------------------------------------------

    def _parts_known(self) -> Iterator[tuple[Part, PartFacts]]:
        for key, known in self._known.items():
            part = self.plan.part(*key)
            if part is not None:
                yield part, known

    def _count_all(self) -> None:
        self.counts = PartCounts()
        for part, known in self._parts_known():
            self._count(part, known, +1)

    def _count(self, part: Part, known: PartFacts, sign: int) -> None:
        others = known.of_others(part.size, self._checksums.of_others)
        if others and self._is_of_former_cut((part.source, part.number), known.row):
            others = None
        self.counts.add(
            known,
            known.verdict(part.size, self.algorithm),
            size=part.size,
            others=others,
            sign=sign,
        )

    # --- other cuts of the same files ---------------------------------------------------------

    def cut_to_take(self, rows: Iterable[UploadPart]) -> int | None:
        """The part size of another host by which to cut, too; None where ours stays.

        Args:
            rows: What the service lists.
        """
        others = [
            row
            for row in rows
            if not self._is_of_former_cut(
                (row.source, row.number), PartRow(row.size, row.checksum, row.updated_at)
            )
        ]
        has_own = any(known.recorded is not None for known in self._known.values())
        return cut_to_take(others, self.plan, has_own=has_own)

    def _is_of_former_cut(self, key: _Key, row: PartRow | None) -> bool:
        """Whether what is listed may be a part that we sent in an earlier cut, or its beginning."""
        former = self._former
        if former is None or row is None:
            return False
        part, known = former.plan.part(*key), former._known.get(key)
        sent = known is not None and known.recorded is not None
        if part is not None and (
            row.size == part.size if sent else row.size < part.size and may_be_cut_short(row.size)
        ):
            return True
        return former._is_of_former_cut(key, row)


class _Counted:
    """Keeps the ledger's counters right while the facts about one part change."""

    def __init__(self, ledger: PartLedger, part: Part) -> None:
        self._ledger = ledger
        self._part = part

    def __enter__(self) -> PartFacts:
        key = (self._part.source, self._part.number)
        self._known = self._ledger._known.setdefault(key, PartFacts())
        self._ledger._count(self._part, self._known, -1)
        return self._known

    def __exit__(self, *_: object) -> None:
        self._ledger._count(self._part, self._known, +1)
