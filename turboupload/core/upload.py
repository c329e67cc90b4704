"""One upload's state: `receive(event)` takes facts in, `next()` says what to do about them.

The table says which fact may arrive in which phase, and where it may lead. `Opening` begins a new
attempt from anywhere: it is the only way to leave what was before behind.

Nothing here waits, reads or asks the time. After a crash the journal's rows are received again,
in their order, and then the service is asked what it has; the code that goes on is the code that
runs every second.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from turboupload.core.actions import (
    Action,
    Complete,
    Create,
    Declare,
    Done,
    Follow,
    ListParts,
    MoveParts,
    Prove,
    Survey,
)
from turboupload.core.claim import Claim
from turboupload.core.etag import ContentETag, ETagComparison
from turboupload.core.events import (
    Candidate,
    Completed,
    CompleteLost,
    Completing,
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
from turboupload.core.identity import client_token
from turboupload.core.model import (
    Checksum,
    FileIdentity,
    FileType,
    Phase,
    ReadSet,
    ReadSetRecord,
    Verified,
)
from turboupload.core.parts import PartLedger
from turboupload.core.plan import Plan
from turboupload.core.reconcile import (
    choose_candidate,
    holds_these_sizes,
    read_set_matches,
)
from turboupload.errors import IntegrityError, ServiceRefused, Stopped

__all__ = ["TRANSITIONS", "Upload", "UploadOptions"]

# Once the read set exists it is the service's to say what it is, every time we look: it may be
# archived, or deleted and forgotten.
_MADE: Final = {
    Opening: {Phase.OPENING},
    StatusSeen: {Phase.PROCESSING, Phase.ACTIVE, Phase.FAILED, Phase.PLANNED},
    UploadGone: {Phase.PLANNED},
}

TRANSITIONS: Final = MappingProxyType(
    {
        Phase.PLANNED: {
            Surveyed: {Phase.PLANNED},
            ETagComputed: {Phase.PLANNED},
            Opening: {Phase.OPENING},
            Opened: {Phase.OPEN},
            Completed: {Phase.PROCESSING},
        },
        Phase.OPENING: {
            Opening: {Phase.OPENING},
            Opened: {Phase.OPEN},
        },
        Phase.OPEN: {
            Opening: {Phase.OPENING},
            Opened: {Phase.OPEN},
            PartsListed: {Phase.OPEN},
            PartSeen: {Phase.OPEN},
            Completing: {Phase.COMPLETING},
            UploadGone: {Phase.PLANNED, Phase.COMPLETING},
        },
        Phase.COMPLETING: {
            Opening: {Phase.OPENING},
            CompleteLost: {Phase.COMPLETING},
            Surveyed: {Phase.COMPLETING},
            Opened: {Phase.OPEN},
            Completed: {Phase.PROCESSING},
        },
        Phase.PROCESSING: _MADE,
        Phase.ACTIVE: {**_MADE, ETagComputed: {Phase.ACTIVE}},
        Phase.FAILED: _MADE,
    }
)

MAX_LOOKS = 5
"""How often we look for what became of a Complete whose reply was lost: a listing may lag."""

_EXISTS = frozenset({"ACTIVE", "ARCHIVED", "ACTIVATING"})


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadOptions:
    """What the user decided about this upload.

    Attributes:
        checksum: What is computed of each part.
        resume: Whether to go on with what is there.
        force: Whether to upload anew although the read set exists.
        upload_id: The upload to go on with, if told.
        prove: Whether to compare the read set's ETag with the files'.
        now: Seconds since the epoch, by our clock, when the upload was begun.
    """

    checksum: Checksum = "sha256"
    resume: bool = True
    force: bool = False
    upload_id: str | None = None
    prove: bool = False
    now: float = 0.0


class Upload:
    """The state of one upload.

    Attributes:
        phase: Where it is in its life.
        plan: How the sources are cut; an adopted upload may change the part size.
        ledger: What is known of each part.
        attempt: How many uploads of this content were given up before this one.
        upload_id: The service's id, once there is one.
        read_set_id: The service's id, once there is one.
        record: The read set as last described by the service.
    """

    def __init__(
        self,
        *,
        store_id: str,
        read_set: ReadSet,
        file_type: FileType,
        plan: Plan,
        options: UploadOptions,
    ) -> None:
        self.store_id = store_id
        self.read_set = read_set
        self.file_type = file_type
        self.plan = plan
        self.options = options
        self.phase = Phase.PLANNED
        self.ledger = PartLedger(plan)
        self.attempt: int | None = None
        self.checksum: Checksum = options.checksum
        self.upload_id: str | None = None
        self.read_set_id: str | None = None
        self.record: ReadSetRecord | None = None
        self._token = ""
        self._listed = False
        self._trust_journal = False
        self._survey: Surveyed | None = None
        self._known_read_sets: frozenset[str] = frozenset()
        self._must_settle = False
        self._earlier_end = False
        self._reopened = False
        self._consumed = False
        self._looks = 0
        self._completed: Completed | None = None
        self._claim = Claim(read_set, file_type, plan.sources, prove=options.prove)

    # --- facts in ---------------------------------------------------------------------------

    def replay(self, events: Iterable[Event]) -> None:
        """Receives the journal's rows; what they say about the service is asked again after.

        `force` passes a finished read set over, but not an upload under way, so that the same
        command goes on after a crash. `resume=False` passes over what is under way, and an upload
        id over every other upload.
        """
        for event in events:
            self.receive(event)
        self._listed = False
        self._survey = None
        self._looks = 0
        self._must_settle = self._earlier_end = self.phase is Phase.COMPLETING
        finished = self.phase in (Phase.PROCESSING, Phase.ACTIVE, Phase.FAILED)
        under_way = self.phase in (Phase.OPENING, Phase.OPEN)
        other = self.options.upload_id not in (None, self.upload_id)
        if other or (finished and self.options.force) or (under_way and not self.options.resume):
            self._forget()
        elif finished:
            self.phase = Phase.PROCESSING

    def receive(self, event: Event) -> None:
        """Takes a fact in.

        Raises:
            ValueError: The fact can't happen in this phase: a bug, or a damaged journal.
            IntegrityError: A part keeps coming back with a wrong checksum.
        """
        allowed = TRANSITIONS[self.phase].get(type(event))
        if allowed is None:
            raise ValueError(f"{type(event).__name__} can't happen to an upload {self.phase}")
        before = self.phase
        self._take_in(event)
        if self.phase not in allowed:
            raise ValueError(f"{type(event).__name__} led from {before} to {self.phase}")

    def _take_in(self, event: Event) -> None:
        match event:
            case Surveyed():
                self._survey = event
                self._looks += 1
            case Opening():
                self._begin_attempt(event)
            case Opened():
                self._open(event)
            case PartsListed():
                self.ledger.listed(event.parts)
                self._listed = True
            case PartSeen():
                if event.origin != "journal" or self._trust_journal:
                    self.ledger.seen(event)
            case Completing():
                self.phase = Phase.COMPLETING
                self._must_settle = self._earlier_end = False
                self._survey = None
                self._looks = 0
            case CompleteLost():
                self._must_settle = True
                self._consumed = event.gone
                self._survey = None
            case Completed():
                self.phase = Phase.PROCESSING
                self.read_set_id = event.read_set_id
                self._completed = event
                if event.proof in ("reply", "journal"):
                    self.ledger.completed()
            case StatusSeen():
                self._see_status(event.record)
            case ETagComputed():
                self._claim.computed[event.family] = event
            case UploadGone():
                self._lose_upload()

    def _lose_upload(self) -> None:
        """The upload is not open; one that was called to complete may be a read set by now."""
        if self.phase is Phase.OPEN and self._reopened:
            self.phase = Phase.COMPLETING
            self._must_settle = True
            self._consumed = True
            self._survey = None
        else:
            self._forget()

    def _begin_attempt(self, event: Opening) -> None:
        self._forget()
        self.phase = Phase.OPENING
        self.attempt = event.attempt
        self.checksum = event.checksum
        self._token = event.token
        self._known_read_sets = frozenset(event.known_read_sets)
        self._trust_journal = event.identities == self._identities
        self._cut(event.part_size)

    def _open(self, event: Opened) -> None:
        """An upload is open: a new one has no parts, any other is asked what it has."""
        reopened = event.upload_id == self.upload_id
        self.upload_id = event.upload_id
        self._listed = not event.adopted and not reopened
        self._reopened = self.phase is Phase.COMPLETING or (reopened and self._reopened)
        if event.adopted:
            self._trust_journal = event.identities == self._identities
            if not self._trust_journal:
                # Other files went on with it, and may have replaced any part since.
                self.ledger = PartLedger(self.plan)
            self._known_read_sets |= frozenset(event.known_read_sets)
        self._cut(event.part_size)
        self.phase = Phase.OPEN

    def _cut(self, part_size: int) -> None:
        if part_size != self.plan.part_size:
            self.plan = replace(self.plan, part_size=part_size)
            self.ledger = PartLedger(self.plan)

    def _forget(self) -> None:
        self.phase = Phase.PLANNED
        self.upload_id = None
        self.read_set_id = None
        self.record = None
        self.ledger = PartLedger(self.plan)
        self._survey = None
        self._looks = 0
        self._listed = False
        self._must_settle = False
        self._reopened = False
        self._consumed = False
        self._completed = None

    def _see_status(self, record: ReadSetRecord) -> None:
        self.record = record
        if record.status == "UPLOAD_FAILED" and self.unproven:
            # Somebody's that failed: it is in nobody's way.
            self._forget()
        elif record.status == "UPLOAD_FAILED":
            self.phase = Phase.FAILED
        elif record.status in _EXISTS:
            self.phase = Phase.ACTIVE

    # --- what to do -------------------------------------------------------------------------

    def next(self) -> Action:
        """What to do now.

        Raises:
            ServiceRefused: A read set is in the way that can't be proven to be ours, or the
                upload that we were told to go on with isn't there.
            IntegrityError: The upload that we were told to go on with has other bytes.
            Stopped: What became of Complete can't be found out.
        """
        match self.phase:
            case Phase.PLANNED:
                return self._decide()
            case Phase.OPENING:
                return Create(self._token)
            case Phase.OPEN:
                return self._move()
            case Phase.COMPLETING:
                return self._settle()
            case Phase.PROCESSING:
                assert self.read_set_id is not None
                return Follow(self.read_set_id)
            case Phase.ACTIVE:
                if (family := self._claim.family_to_prove(self.record)) is not None:
                    return Prove(family)
                self._insist_on_proof()
                return Done()
            case Phase.FAILED:
                return Done()

    def _decide(self) -> Action:
        """PLANNED: go on with something that is there, or open a new upload."""
        if self._survey is None:
            return Survey()
        if not self.options.force:
            for record in self._survey.read_sets:
                if self._claim.could_be_ours(record) and (
                    family := self._claim.family_to_prove(record)
                ):
                    return Prove(family)
            if (found := self._claim.existing(self._survey.read_sets)) is not None:
                return Declare(found)
        if self.options.upload_id is not None:
            return self._adopt(self._told_candidate(self.options.upload_id))
        if self.options.resume and (ours := choose_candidate(self._survey.candidates)) is not None:
            return self._adopt(ours)
        return Declare(self._opening())

    def _told_candidate(self, upload_id: str) -> Candidate:
        assert self._survey is not None
        for candidate in self._survey.candidates:
            if candidate.upload.upload_id == upload_id:
                break
        else:
            raise ServiceRefused(
                f"upload {upload_id} is not open in store {self.store_id}, "
                "or was made for other metadata",
                code="ResourceNotFoundException",
                operation="ListMultipartReadSetUploads",
                hint="leave the upload id out: what fits is found",
            )
        if candidate.probe == "differs":
            raise IntegrityError(
                f"upload {upload_id} has parts that are not of these files",
                path=self.plan.sources[0].path,
                upload_id=upload_id,
                hint="leave the upload id out to begin a new upload",
            )
        return candidate

    def _adopt(self, candidate: Candidate) -> Declare:
        assert self._survey is not None
        return Declare(
            Opened(
                upload_id=candidate.upload.upload_id,
                adopted=True,
                part_size=candidate.part_size or self.plan.part_size,
                identities=self._identities,
                known_read_sets=tuple(each.read_set_id for each in self._survey.read_sets),
            )
        )

    def _insist_on_proof(self) -> None:
        """A read set that is there: is it ours, and does it hold what we sent?"""
        if self._completed is None or self.record is None:
            return
        comparison = self.comparison
        if comparison is not None and comparison.proves_different:
            if self._completed.proof in ("size", "none"):
                raise self._claim.refusal(self.record)
            raise self._other_content(comparison)
        if not self.unproven or holds_these_sizes(self.record, self.plan.sources) == "yes":
            return
        raise self._claim.refusal(self.record)

    def _other_content(self, comparison: ETagComparison) -> IntegrityError:
        return IntegrityError(
            f"read set {self.read_set_id} is {self.record.status if self.record else 'there'}, "
            f"but {comparison.sentence}",
            path=self.plan.sources[0].path,
            operation="GetReadSetMetadata",
            hint="keep the files, and don't use the read set; look for what changes bytes (memory, "
            "disk), then upload them anew with --force"
            if self._trust_journal
            else "these are not the very files that were sent: they were written to, replaced or "
            "copied since; if their content changed on purpose, upload them anew with --force",
        )

    def _opening(self) -> Opening:
        """A new attempt.

        One that must not meet an older one's token takes its number from the clock, since the
        journal that counted the older ones may be lost.
        """
        assert self._survey is not None
        attempt = 0 if self.attempt is None else self.attempt + 1
        if self._begins_anew:
            attempt = max(attempt, int(self.options.now))
        return Opening(
            attempt=attempt,
            token=client_token(
                store_id=self.store_id,
                read_set=self.read_set,
                file_type=self.file_type,
                sources=self.plan.sources,
                attempt=attempt,
            ),
            part_size=self.plan.part_size,
            checksum=self.options.checksum,
            identities=self._identities,
            known_read_sets=tuple(each.read_set_id for each in self._survey.read_sets),
            started=self.options.now,
        )

    def _move(self) -> Action:
        assert self.upload_id is not None
        if not self._trust_journal:
            # Another file, or a copy: what the journal recorded holds for other bytes, perhaps.
            return Declare(
                Opened(
                    upload_id=self.upload_id,
                    adopted=True,
                    part_size=self.plan.part_size,
                    identities=self._identities,
                )
            )
        if not self._listed:
            return ListParts(self.upload_id)
        if not self.ledger.ready:
            return MoveParts(self.upload_id)
        return Declare(Completing())

    def _settle(self) -> Action:
        """COMPLETING: call Complete; where it was called before, look what came of it first."""
        assert self.upload_id is not None
        if not self._must_settle:
            return Complete(self.upload_id, self.ledger.for_complete())
        if self._survey is None:
            return Survey(after_s=0.0 if self._looks == 0 else 0.5 * 2.0**self._looks)
        if not self._consumed and any(
            candidate.upload.upload_id == self.upload_id for candidate in self._survey.candidates
        ):
            # Another's read set may have our name; what tells is whether our upload still has
            # parts. One that is only still listed has none to tell, and comes back as gone.
            return Declare(
                Opened(upload_id=self.upload_id, adopted=False, part_size=self.plan.part_size)
            )
        fresh = [
            record
            for record in self._survey.read_sets
            if record.read_set_id not in self._known_read_sets
            and read_set_matches(self.read_set, self.file_type, record)
            and holds_these_sizes(record, self.plan.sources) != "no"
        ]
        if len(fresh) == 1:
            return Declare(
                Completed(read_set_id=fresh[0].read_set_id, adopted=True, proof="journal")
            )
        if not fresh and self._looks < MAX_LOOKS:
            self._survey = None
            return Survey(after_s=0.5 * 2.0**self._looks)
        if self._earlier_end and self._begins_anew:
            self._forget()
            return Survey()
        # What this very run completed is not made twice, whatever it was told.
        raise self._ambiguous(fresh)

    def _ambiguous(self, fresh: Sequence[ReadSetRecord]) -> Stopped:
        found = ", ".join(record.read_set_id for record in fresh) or "no read set"
        return Stopped(
            f"the reply to Complete was lost; upload {self.upload_id} is no longer open, and the "
            f"store shows {found} of this name, sample and subject that could be its result",
            path=self.plan.sources[0].path,
            operation="CompleteMultipartReadSetUpload",
            upload_id=self.upload_id,
            hint="run the same command again later: it looks again"
            + (
                ", and uploads anew where it finds nothing"
                if self._begins_anew
                else "; if the read set is certainly not there, add --force"
            ),
        )

    # --- questions --------------------------------------------------------------------------

    @property
    def unproven(self) -> bool:
        """Whether the read set was found under our metadata, and nothing yet says it is ours."""
        if self._completed is None or self._completed.proof != "none":
            return False
        return self.comparison is None or not self.comparison.proves_equal

    @property
    def unseen(self) -> bool:
        """Whether the read set is ours, and the service was never seen to show it."""
        if self._completed is None or self.record is not None:
            return False
        return self._completed.proof in ("reply", "journal")

    @property
    def assumed(self) -> bool:
        """Whether only its metadata and its age say that the read set was made of our parts.

        The reply to Complete was lost, and its sizes don't say so, or not yet.
        """
        if self._completed is None or not self._completed.adopted:
            return False
        if self._completed.proof != "journal":
            return False
        return self.record is None or holds_these_sizes(self.record, self.plan.sources) != "yes"

    @property
    def computed(self) -> ETagComputed | None:
        """The ETag of our files in the read set's family, once it was asked for."""
        theirs = ContentETag.from_reply(self.record.etag) if self.record is not None else None
        return self._claim.computed.get(theirs.family) if theirs is not None else None

    @property
    def comparison(self) -> ETagComparison | None:
        """What the read set's ETag and ours say about each other, once both are known."""
        return self._claim.compared(self.record)

    @property
    def _begins_anew(self) -> bool:
        """Whether the user wants another upload than what is there."""
        return self.options.force or not self.options.resume

    @property
    def _identities(self) -> tuple[FileIdentity, ...]:
        return tuple(source.identity for source in self.plan.sources)

    @property
    def verified(self) -> Verified:
        """How the bytes in the read set were proven."""
        by_parts = self.ledger.verified if self.ledger.all_proven else "none"
        if by_parts != "sha256" and self.comparison is not None and self.comparison.proves_equal:
            return "etag"
        return by_parts
