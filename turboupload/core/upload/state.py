"""One upload's state: `receive(event)` takes facts in, `next()` says what to do about them.

The table says which fact may arrive in which phase, and where it may lead. `Opening` begins a new
attempt from anywhere: it is the only way to leave what was before behind.

Nothing here waits, reads or asks the time. After a crash the journal's rows are received again,
in their order, and then the service is asked what it has; the code that goes on is the code that
runs every second.

Exactly one read set, in words. What the documentation leaves open is answered in the way that
makes no second one:

- Right before Complete it is looked once more: for a read set that has come since, and for
  another open upload with the same parts. (Client tokens may be forgotten or ignored.)
- Whenever a read set may have been made without our knowing its id (a lost reply, a refusal that
  may only mean "done already", an upload that is gone), the new read sets are looked for first, and
  for longer than a listing may lag. Only then is Complete called again, or an upload begun anew.
- An upload holds only parts of ours, or it is left untouched: what the service has from somebody
  else is compared before anything is sent.
- A read set that we found is ours on proof: its ETag, or the journal's word. Otherwise it is named.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from turboupload.core.model import (
    Checksum,
    FileIdentity,
    FileType,
    Phase,
    ReadSet,
    ReadSetRecord,
    Verified,
)
from turboupload.core.proof.checksum import BY_CHECKSUM
from turboupload.core.proof.etag import ContentETag, ETagComparison
from turboupload.core.upload.actions import (
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
from turboupload.core.upload.events import (
    Candidate,
    Completed,
    CompleteLost,
    Completing,
    CreateUnclear,
    Disowned,
    ETagComputed,
    Event,
    NothingCame,
    Opened,
    Opening,
    PartSeen,
    PartsListed,
    ReadSetGone,
    StatusSeen,
    Surveyed,
    UploadGone,
)
from turboupload.core.upload.identity import client_token
from turboupload.core.upload.matching import (
    choose_candidate,
    goes_on,
    holds_these_sizes,
    is_finished,
    is_gone,
)
from turboupload.core.upload.ownership import Claim
from turboupload.core.upload.parts import PartLedger
from turboupload.core.upload.patience import Patience
from turboupload.core.upload.plan import Plan
from turboupload.errors import IntegrityError, ServiceRefused, Stopped

__all__ = ["TRANSITIONS", "Upload", "UploadOptions"]

# Once the read set exists it is the service's to say what it is, every time we look: it may be
# archived, or deleted and forgotten.
_MADE: Final = {
    Opening: {Phase.OPENING},
    StatusSeen: {Phase.PROCESSING, Phase.ACTIVE, Phase.FAILED, Phase.PLANNED},
    ReadSetGone: {Phase.PLANNED},
}
# One that came while our upload was still listed may not be made of it: that is looked into.
_CONFIRMING: Final = {Completed: {Phase.PROCESSING}, Opened: {Phase.OPEN}}

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
            CreateUnclear: {Phase.OPENING, Phase.COMPLETING},
            Surveyed: {Phase.OPENING},
            Opened: {Phase.OPEN},
            Completed: {Phase.PROCESSING},
        },
        Phase.OPEN: {
            Opening: {Phase.OPENING},
            Opened: {Phase.OPEN},
            PartsListed: {Phase.OPEN},
            PartSeen: {Phase.OPEN},
            Disowned: {Phase.PLANNED},
            Surveyed: {Phase.OPEN},
            ETagComputed: {Phase.OPEN},
            Completing: {Phase.COMPLETING},
            Completed: {Phase.PROCESSING},
            UploadGone: {Phase.PLANNED, Phase.COMPLETING},
        },
        Phase.COMPLETING: {
            Opening: {Phase.OPENING},
            CompleteLost: {Phase.COMPLETING},
            NothingCame: {Phase.PLANNED},
            Surveyed: {Phase.COMPLETING},
            ETagComputed: {Phase.COMPLETING},
            Opened: {Phase.OPEN},
            Completed: {Phase.PROCESSING},
            UploadGone: {Phase.PLANNED, Phase.COMPLETING},
        },
        # Earlier versions recorded with `UploadGone` that a read set is. That one is gone, or was
        # somebody else's that failed, isn't recorded, so another one or an upload may follow.
        Phase.PROCESSING: {**_MADE, **_CONFIRMING, UploadGone: {Phase.PROCESSING}},
        Phase.ACTIVE: {
            **_MADE,
            **_CONFIRMING,
            PartsListed: {Phase.ACTIVE},
            UploadGone: {Phase.ACTIVE},
            Surveyed: {Phase.ACTIVE},
            ETagComputed: {Phase.ACTIVE},
        },
        Phase.FAILED: {
            **_MADE,
            **_CONFIRMING,
            PartsListed: {Phase.FAILED},
            UploadGone: {Phase.FAILED},
            Surveyed: {Phase.FAILED},
        },
    }
)


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
        patience_s: How long to look for what one look doesn't show, in seconds; longer than a
            listing may lag.
        slow_patience_s: The same after a Complete that did not answer in time: the service may
            still be at work on it.
        stand_aside_s: How long to leave the way to another upload of the same parts of which
            nothing new is heard, in seconds.
    """

    checksum: Checksum = "sha256"
    resume: bool = True
    force: bool = False
    upload_id: str | None = None
    prove: bool = False
    now: float = 0.0
    patience_s: float = 75.0
    slow_patience_s: float = 300.0
    stand_aside_s: float = 900.0


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
        self.ledger = PartLedger(plan, options.patience_s)
        self.attempt: int | None = None
        self.checksum: Checksum = options.checksum
        self.upload_id: str | None = None
        self.read_set_id: str | None = None
        self.record: ReadSetRecord | None = None
        self._token = ""
        self._trust_journal = False
        self._claim = Claim(read_set, file_type, plan.sources)
        self._known_read_sets: frozenset[str] = frozenset()
        self._known_uploads: dict[str, int] = {}
        self._left_alone: set[str] = set()
        self._seen_uploads: set[str] = set()
        self._vanished: str | None = None
        self._acknowledge = False
        self._settling: Patience | None = None
        self._begun_anew = False
        self._forget()

    def _forget(self) -> None:
        """Back to where nothing of this content is open or made."""
        self.phase = Phase.PLANNED
        self.upload_id = None
        self.read_set_id = None
        self.record = None
        self.ledger = PartLedger(self.plan, self.options.patience_s)
        self._survey: Surveyed | None = None
        self._listed = False
        self._called = False
        self._must_settle = False
        self._reopened = False
        self._gone = self._known_gone = False
        self._perhaps_made = False
        self._rivals: tuple[tuple[str, int], ...] = ()
        self._patience = Patience(self.options.patience_s)
        self._completed: Completed | None = None

    # --- facts in ---------------------------------------------------------------------------

    def replay(self, events: Iterable[Event]) -> None:
        """Receives the journal's rows; what they say about the service is asked again after.

        `force` passes a finished read set over, but not an upload under way, so that the same
        command goes on after a crash. `resume=False` passes over what is under way, and an upload
        id over every other upload. None of them passes over a Complete that may have worked.
        """
        for event in events:
            self.receive(event)
        self._listed = False
        self._survey = None
        self._patience = Patience(self.options.patience_s)
        self._reopened = False
        self._must_settle = self.phase is Phase.COMPLETING
        finished = self.phase in (Phase.PROCESSING, Phase.ACTIVE, Phase.FAILED)
        under_way = self.phase in (Phase.OPENING, Phase.OPEN)
        other = self.options.upload_id not in (None, self.upload_id)
        if other or (finished and self.options.force) or (under_way and not self.options.resume):
            self._forget()
        elif finished:
            self.phase = Phase.PROCESSING
        # What there is when the user asks for another read set all the same is in nobody's way.
        self._acknowledge = self.options.force and self.phase is Phase.OPEN and not self._called

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
                self._see_survey(event)
            case Opening():
                self._begin_attempt(event)
            case CreateUnclear():
                self._create_unclear(event)
            case Opened():
                self._open(event)
            case PartsListed() if self.phase is not Phase.OPEN:
                self._listed = True
            case PartsListed():
                self.ledger.listed(event.parts)
                self._listed = True
                # Somebody sent all of them; perhaps they called Complete, too.
                self._perhaps_made |= self.ledger.complete_for_others
            case PartSeen():
                if event.origin != "journal" or self._trust_journal:
                    self.ledger.seen(event)
            case NothingCame():
                self._begun_anew = True
                self._forget()
            case Disowned():
                self._left_alone.add(event.upload_id)
                self._forget()
            case Completing():
                self.phase = Phase.COMPLETING
                self._called = True
                self._must_settle = self._gone = self._known_gone = False
                self._survey = None
            case CompleteLost():
                whole = self.options.slow_patience_s if event.slow else self.options.patience_s
                self._settle_it(Patience(whole), gone=event.gone)
            case Completed():
                self.phase = Phase.PROCESSING
                self.read_set_id = event.read_set_id
                self._completed = event
                self._survey = None
                self._listed = False
                self._patience = Patience(self.options.patience_s)
                if event.proof in ("reply", "journal", "fresh"):
                    self.ledger.completed()
            case StatusSeen():
                self._see_status(event.record)
            case ETagComputed():
                self._claim.computed[event.family] = event
            case ReadSetGone():
                self._vanished = self.read_set_id
                self._forget()
            case UploadGone():
                self._lose(event)

    def _settle_it(self, patience: Patience, *, gone: bool) -> None:
        """A read set may have been made, and which one isn't known."""
        self.phase = Phase.COMPLETING
        self._must_settle = True
        self._patience = patience
        self._gone = gone
        self._known_gone |= gone
        self._survey = None

    def _lose(self, event: UploadGone) -> None:
        """The upload isn't open (any more)."""
        if self.phase in (Phase.PROCESSING, Phase.ACTIVE, Phase.FAILED):
            self._gone = True
        elif event.aborted and not self._called:
            self._forget()
        else:
            # It was completed here or elsewhere, a moment ago perhaps, it expired, or it isn't
            # known yet. Where that is no news, the settling goes on.
            going_on = self._settling if self._reopened and self._known_gone else None
            self._known_gone = True
            self._settle_it(going_on or Patience(self.options.patience_s), gone=True)

    def _create_unclear(self, event: CreateUnclear) -> None:
        if event.token_used:
            self._settle_it(Patience(self.options.patience_s), gone=True)
        else:
            self._survey = None
            self._must_settle = True

    def _begin_attempt(self, event: Opening) -> None:
        self._forget()
        self.phase = Phase.OPENING
        self.attempt = event.attempt
        self.checksum = event.checksum
        self._token = event.token
        self._known_read_sets = frozenset(event.known_read_sets)
        self._known_uploads = dict(event.known_uploads)
        self._trust_journal = event.identities == self._identities
        self._cut(event.part_size)

    def _open(self, event: Opened) -> None:
        """An upload is open; what it has is asked, since a token may bring one that has parts."""
        same = event.upload_id == self.upload_id
        if not same:
            self._called = False
            self.ledger = PartLedger(self.plan, self.options.patience_s)
        if self.phase is not Phase.OPEN:
            self._reopened = same
            self._settling = self._patience
        self._patience = Patience(self.options.patience_s)
        self.upload_id = event.upload_id
        self.read_set_id = self.record = self._completed = None
        self._listed = self._must_settle = self._gone = False
        self._survey = None
        if event.adopted:
            self._trust_journal = event.identities == self._identities
            if not self._trust_journal:
                # Other files went on with it, and may have replaced any part since.
                self.ledger = PartLedger(self.plan, self.options.patience_s)
        self._known_read_sets |= frozenset(event.known_read_sets)
        self._known_uploads |= dict(event.known_uploads)
        self._acknowledge = False
        self._cut(event.part_size)
        self.phase = Phase.OPEN

    def _cut(self, part_size: int) -> None:
        if part_size != self.plan.part_size:
            self.plan = replace(self.plan, part_size=part_size)
            self.ledger = PartLedger(self.plan, self.options.patience_s)

    def _see_survey(self, event: Surveyed) -> None:
        self._survey = event
        self._patience.looked()
        # One that was open and isn't any more may be a read set by now.
        listed = {each.upload.upload_id for each in event.candidates}
        vanished = (self._seen_uploads | self._known_uploads.keys()) - listed - {self.upload_id}
        self._seen_uploads |= listed
        if self.phase is not Phase.OPEN or self._acknowledge:
            return
        self._perhaps_made |= bool(vanished)
        self._perhaps_made |= any(
            each.probe == "gone" or self._may_be_whole(each)
            for each in event.candidates
            if each.upload.upload_id != self.upload_id
        )
        rivals = self._rivals_now()
        if _ids(rivals) != _ids(self._rivals) or (rivals != self._rivals and self._leaves_way):
            # From here on anew: one that is new here, or gone, or that somebody works on.
            self._rivals = rivals
            self._perhaps_made = True
            whole = self.options.stand_aside_s if self._leaves_way else self.options.patience_s
            self._patience = Patience(whole)
            self._patience.looked()

    @property
    def _leaves_way(self) -> bool:
        """Whether another upload with our parts is the one to complete."""
        return not goes_on(self.upload_id or "", [each for each, _ in self._rivals])

    def _see_status(self, record: ReadSetRecord) -> None:
        self.record = record
        self._vanished = None
        if record.status == "UPLOAD_FAILED" and self.unproven:
            # Somebody else's read set that failed does not block an upload.
            self._forget()
        elif record.status == "UPLOAD_FAILED":
            self.phase = Phase.FAILED
        elif is_finished(record):
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
                return self._create()
            case Phase.OPEN:
                return self._move()
            case Phase.COMPLETING:
                return self._settle()
            case Phase.PROCESSING:
                assert self.read_set_id is not None
                return Follow(self.read_set_id)
            case Phase.ACTIVE | Phase.FAILED:
                return self._confirm()

    # PLANNED: go on with something that is there, or open a new upload.

    def _decide(self) -> Action:
        told = self.options.upload_id
        if self._survey is None:
            return Survey(probe=True)
        survey = self._survey
        if self._vanished is not None:
            self._insist_that_it_is_gone(survey, self._vanished)
        if not self.options.force and (found := self._existing(survey.read_sets)) is not None:
            return found
        if told is not None:
            return self._adopt(self._told_candidate(told))
        others = [each for each in survey.candidates if self._may_adopt(each)]
        if self.options.resume and (ours := choose_candidate(others)) is not None:
            return self._adopt(ours)
        return Declare(self._opening())

    def _existing(self, read_sets: Sequence[ReadSetRecord]) -> Action | None:
        """What to do about the read sets that are there under our metadata.

        Raises:
            ServiceRefused: One is in the way.
        """
        ours = [record for record in read_sets if self._claim.could_be_ours(record)]
        if (prove := self._prove_one_of(ours)) is not None:
            return prove
        found = self._claim.existing(read_sets)
        return None if found is None else Declare(found)

    def _prove_one_of(self, read_sets: Sequence[ReadSetRecord]) -> Prove | None:
        """Asks for the ETag that tells whether one of these is ours; None where no more can."""
        for record in read_sets:
            if (family := self._claim.family_to_prove(record)) is not None:
                return Prove(family)
        return None

    def _insist_that_it_is_gone(self, survey: Surveyed, read_set_id: str) -> None:
        for record in survey.read_sets:
            if record.read_set_id == read_set_id and not is_gone(record):
                raise Stopped(
                    f"the service lists read set {read_set_id} ({record.status}) and says "
                    "that it does not exist",
                    path=self.plan.sources[0].path,
                    operation="GetReadSetMetadata",
                    hint="run the same command again later: nothing is sent while it is listed",
                )

    def _may_adopt(self, candidate: Candidate) -> bool:
        return candidate.upload.upload_id not in self._left_alone

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
        if candidate.probe == "differs" or not self._may_adopt(candidate):
            raise self._not_of_these_files(upload_id)
        return candidate

    def _not_of_these_files(self, upload_id: str) -> IntegrityError:
        return IntegrityError(
            f"upload {upload_id} has parts that are not of these files",
            path=self.plan.sources[0].path,
            upload_id=upload_id,
            hint="leave the upload id out to begin a new upload",
        )

    def _adopt(self, candidate: Candidate) -> Declare:
        assert self._survey is not None
        return Declare(
            Opened(
                upload_id=candidate.upload.upload_id,
                adopted=True,
                part_size=candidate.part_size or self.plan.part_size,
                identities=self._identities,
                known_read_sets=tuple(each.read_set_id for each in self._survey.read_sets),
                known_uploads=_others_there(self._survey, candidate.upload.upload_id),
            )
        )

    def _opening(self) -> Opening:
        """A new attempt.

        One that must not meet an older one's token takes its number from the clock, since the
        journal that counted the older ones may be lost.
        """
        assert self._survey is not None
        attempt = 0 if self.attempt is None else self.attempt + 1
        if self._begins_anew or self._left_alone:
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
            known_uploads=_others_there(self._survey),
        )

    # OPENING: the token is durable.

    def _create(self) -> Action:
        if not self._must_settle:
            return Create(self._token)
        if self._survey is None:
            return Survey(probe=True)
        if (opened := self._unclaimed()) is not None:
            return self._adopt(opened)
        return Create(self._token)

    def _unclaimed(self) -> Candidate | None:
        """The open upload that our token may have made: there is no other way to find it."""
        assert self._survey is not None
        there = [
            each
            for each in self._survey.candidates
            if self._may_adopt(each)
            and each.upload.upload_id not in self._known_uploads
            and (each.probe == "equal" or (not each.parts and each.probe != "gone"))
        ]
        for each in there:
            if goes_on(each.upload.upload_id, _others(each, there)):
                return each
        return None

    # OPEN: parts move.

    def _move(self) -> Action:
        assert self.upload_id is not None
        if self._acknowledge and self._survey is None:
            return Survey()
        if self._acknowledge or not self._trust_journal:
            # Without trust: another file, or a copy, and what the journal recorded holds for
            # other bytes, perhaps.
            known = self._survey.read_sets if self._survey is not None else ()
            return Declare(
                Opened(
                    upload_id=self.upload_id,
                    adopted=True,
                    part_size=self.plan.part_size,
                    identities=self._identities,
                    known_read_sets=tuple(each.read_set_id for each in known),
                )
            )
        if not self._listed:
            return ListParts(self.upload_id)
        if self.ledger.strange:
            if self.options.upload_id == self.upload_id:
                raise self._not_of_these_files(self.upload_id)
            return Declare(Disowned(self.upload_id))
        if self.ledger.to_compare:
            return MoveParts(self.upload_id, compare_only=True)
        if not self.ledger.ready:
            return MoveParts(self.upload_id)
        return self._look_before_completing()

    def _look_before_completing(self) -> Action:
        """The last look: nobody else has made this read set, or is about to.

        Our own upload must be listed, since then every older one is, too, if the listing shows
        the state of one moment. An upload with the same parts is another host's that our token
        was not the same for; which of the two goes on is decided by their ids. Even the one that
        goes on waits, since the other may have looked before there was anything to see.
        """
        if self._survey is None:
            return self._look(probe=True)
        fresh = [each for each in self._fresh() if not is_gone(each)]
        if fresh and self._called:
            return self._claim_one(fresh, open_still=self._lists_ours)
        if (prove := self._prove_one_of(fresh)) is not None:
            return prove
        if fresh:
            # Recorded before it is judged: the next run's look may not show it.
            proven = next((each for each in fresh if self._claim.proves_equal(each)), None)
            return Declare(
                Completed(
                    read_set_id=(proven or fresh[0]).read_set_id,
                    adopted=True,
                    proof="etag" if proven else "none",
                )
            )
        exhausted = self._patience.exhausted
        older = self._older_one(whole=not exhausted) if self._may_take_over else None
        if older is not None:
            return self._adopt(older)
        if (self._lists_ours and not self._perhaps_made) or exhausted:
            return Declare(Completing())
        return self._look(probe=True)

    @property
    def _may_take_over(self) -> bool:
        """Whether to complete another upload than ours; not where the user said which one."""
        return self._leaves_way and self.options.resume and self.options.upload_id is None

    def _older_one(self, *, whole: bool) -> Candidate | None:
        """The upload to leave the way to, if it is seen to hold our content.

        It is taken over, since two that complete the same upload make one read set, and two that
        wait for each other may both stop waiting at the same moment.

        Args:
            whole: Whether it must have all its parts: to others more may be coming.
        """
        assert self._survey is not None
        rivals = {upload_id for upload_id, _ in self._rivals}
        there = [each for each in self._survey.candidates if each.upload.upload_id in rivals]
        for each in there:
            if (
                goes_on(each.upload.upload_id, [*_others(each, there), self.upload_id or ""])
                and each.probe == "equal"
                and self._may_adopt(each)
                and (each.size == self.plan.total_bytes or not whole)
            ):
                return each
        return None

    def _rivals_now(self) -> tuple[tuple[str, int], ...]:
        """Open uploads that may hold our parts and are not ours, with how many they have.

        Those to which nothing was added since our upload was opened are left over from before.
        """
        assert self._survey is not None
        return tuple(
            (each.upload.upload_id, len(each.parts))
            for each in self._survey.candidates
            if each.upload.upload_id != self.upload_id
            and not self._is_left_over(each)
            and self._may_be_equal(each)
        )

    def _may_be_whole(self, candidate: Candidate) -> bool:
        """Whether it may hold our files whole, so that somebody may have called Complete on it.

        What it has may be listed later, so one without any part may, too.
        """
        return candidate.size in (0, self.plan.total_bytes) and self._may_be_equal(candidate)

    def _is_left_over(self, candidate: Candidate) -> bool:
        """Whether it was there before ours was opened, and nothing came to it since.

        One that could not be compared then, and has the very strings of ours now, is another
        host's of the same content.
        """
        if self._known_uploads.get(candidate.upload.upload_id) != len(candidate.parts):
            return False
        uncertain = candidate.probe == "unknown" or self.ledger.algorithm == "another"
        return not (uncertain and self.options.resume and self.ledger.repeated_by(candidate.parts))

    def _may_be_equal(self, candidate: Candidate) -> bool:
        if not candidate.parts:
            # Its parts may be listed later.
            return candidate.probe != "gone"
        if candidate.part_size is None:
            return False
        if candidate.part_size == self.plan.part_size:
            return not self.ledger.contradicted_by(candidate.parts)
        # Cut otherwise, so only the look into it tells, where strings of the service can.
        return candidate.probe != "differs" or self.ledger.algorithm == "another"

    # COMPLETING: call Complete; where a read set may have been made, look for it first.

    def _settle(self) -> Action:
        if not self._must_settle:
            assert self.upload_id is not None
            return Complete(self.upload_id, self.ledger.for_complete())
        unknown_upload = self.upload_id is None
        if self._survey is None:
            return self._look(probe=unknown_upload)
        open_still = self._lists_ours and not self._gone
        fresh = [
            record
            for record in self._fresh()
            if not self._claim.proves_different(record)
            and not (open_still and record.status == "UPLOAD_FAILED")
        ]
        if fresh:
            return self._claim_one(fresh, open_still=open_still)
        if unknown_upload and (opened := self._unclaimed()) is not None:
            return self._adopt(opened)
        if self._patience.exhausted:
            return self._nothing_came_of_it()
        if self._lists_ours and not self._called:
            return self._reopen()
        return self._look(probe=unknown_upload)

    def _claim_one(self, fresh: Sequence[ReadSetRecord], *, open_still: bool) -> Action:
        """Read sets of our metadata have come since the upload was opened: which one is ours?"""
        for record in fresh:
            if self._claim.proves_equal(record):
                found = Completed(read_set_id=record.read_set_id, adopted=True, proof="etag")
                return Declare(found)
        if len(fresh) > 1:
            return self._claim_one_of(fresh)
        proof: Final = "none" if not self._called else "fresh" if open_still else "journal"
        return Declare(Completed(read_set_id=fresh[0].read_set_id, adopted=True, proof=proof))

    def _claim_one_of(self, fresh: Sequence[ReadSetRecord]) -> Action:
        """Several have come, and no ETag says yet which one is ours."""
        if (prove := self._prove_one_of(fresh)) is not None:
            return prove
        there = [record for record in fresh if not is_gone(record)]
        if not there and not self._patience.exhausted:
            return self._look()
        if any(not is_finished(record) for record in there):
            raise self._ambiguous(fresh)
        # Nothing more will be known. One that is there is in the way; if all failed, none is.
        found = there[0] if there else fresh[0]
        return Declare(Completed(read_set_id=found.read_set_id, adopted=True, proof="none"))

    def _nothing_came_of_it(self) -> Action:
        """No read set has come for longer than a listing may lag."""
        if self.upload_id is None or not self.options.resume:
            return self._begin_anew()
        if not (self._reopened and self._gone):
            return self._reopen()
        return self._begin_anew()

    def _reopen(self) -> Declare:
        """The upload itself is asked whether it is open."""
        assert self.upload_id is not None
        return Declare(
            Opened(upload_id=self.upload_id, adopted=False, part_size=self.plan.part_size)
        )

    def _begin_anew(self) -> Declare:
        if self._begun_anew:
            # A service that keeps opening uploads it doesn't know must not keep us busy.
            raise Stopped(
                f"upload {self.upload_id or 'of this token'} is not open, and no read set came of "
                "it, for the second time in this run",
                path=self.plan.sources[0].path,
                operation="ListMultipartReadSetUploads",
                hint="run the same command again later: it looks again, and begins anew",
            )
        return Declare(NothingCame())

    def _ambiguous(self, fresh: Sequence[ReadSetRecord]) -> Stopped:
        found = ", ".join(f"{record.read_set_id} ({record.status})" for record in fresh)
        return Stopped(
            f"what became of upload {self.upload_id} is not known: the store shows {found} of this "
            "name, sample and subject, and each could be its result",
            path=self.plan.sources[0].path,
            operation="CompleteMultipartReadSetUpload",
            upload_id=self.upload_id,
            hint="when they are ACTIVE, run the same command again: their ETags tell; or compare "
            "them with the files by `turboupload readsets verify`",
        )

    # ACTIVE, FAILED: is it ours, and does it hold what we sent?

    def _confirm(self) -> Action:
        completed = self._completed
        if completed is not None and completed.proof == "fresh":
            if self._survey is None:
                return self._look()
            if self._gone or not self._lists_ours:
                # An upload whose read set is ACTIVE or failed isn't listed any more (user guide).
                return Declare(replace(completed, proof="journal"))
            if not self._patience.exhausted:
                return self._look()
            if not self._listed:
                assert self.upload_id is not None
                return ListParts(self.upload_id)
            if self.phase is Phase.FAILED:
                return self._leave_to_its_owner()
        if self.phase is Phase.FAILED:
            return Done()
        if (family := self._family_to_prove()) is not None:
            return Prove(family)
        self._insist_on_proof()
        return Done()

    def _leave_to_its_owner(self) -> Declare:
        """The read set that failed was not made of our upload, which is still open."""
        assert self.upload_id is not None
        assert self.read_set_id is not None
        return Declare(
            Opened(
                upload_id=self.upload_id,
                adopted=False,
                part_size=self.plan.part_size,
                known_read_sets=(self.read_set_id,),
            )
        )

    def _family_to_prove(self) -> str | None:
        if self.record is None:
            return None
        # Other sizes would refute a FASTQ, unless its ETag says that it was only recompressed.
        wanted = self.options.prove or self.unproven or self._sizes_of(self.record) == "no"
        return self._claim.family_to_prove(self.record) if wanted else None

    def _insist_on_proof(self) -> None:
        if self.record is None:
            return
        comparison = self.comparison
        if self.unproven:
            raise self._claim.refusal(self.record)
        if comparison is not None and comparison.proves_different:
            raise self._other_content(comparison)

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

    # --- questions --------------------------------------------------------------------------

    def _look(self, *, probe: bool = False) -> Survey:
        return Survey(after_s=self._patience.pause_s, probe=probe)

    def _fresh(self) -> list[ReadSetRecord]:
        """Read sets of our metadata that were not there when the upload was opened."""
        assert self._survey is not None
        return [
            record
            for record in self._survey.read_sets
            if record.read_set_id not in self._known_read_sets
            and (self._claim.could_be_ours(record) or self._claim.failed_like_ours(record))
        ]

    @property
    def _lists_ours(self) -> bool:
        """Whether our upload is in the list of open ones."""
        return self._survey is not None and any(
            each.upload.upload_id == self.upload_id for each in self._survey.candidates
        )

    @property
    def unproven(self) -> bool:
        """Whether nothing yet says that the read set is ours but its metadata."""
        if self._completed is None or self._completed.proof in ("reply", "journal", "etag"):
            return False
        if self._completed.proof == "fresh" and self.phase is Phase.PROCESSING:
            return False
        return self.comparison is None or not self.comparison.proves_equal

    @property
    def waits_for_others(self) -> bool:
        """Whether Complete waits because another upload may hold the same files."""
        return self.phase is Phase.OPEN and self._perhaps_made

    @property
    def to_be_confirmed(self) -> bool:
        """Whether it is to be looked into, once it is ACTIVE, whether the read set is ours."""
        return self.unproven or (self._completed is not None and self._completed.proof == "fresh")

    @property
    def unseen(self) -> bool:
        """Whether the read set is ours, and the service was never seen to show it."""
        if self._completed is None or self.record is not None:
            return False
        return self._completed.proof in ("reply", "journal", "fresh")

    @property
    def assumed(self) -> bool:
        """Whether only its metadata and its age say that the read set was made of our parts.

        The reply to Complete was lost, and its sizes don't say so, or not yet.
        """
        if self._completed is None or self._completed.proof not in ("journal", "fresh"):
            return False
        return self.record is None or self._sizes_of(self.record) != "yes"

    def _sizes_of(self, record: ReadSetRecord) -> str:
        return holds_these_sizes(record, self.plan.sources, self.file_type)

    @property
    def may_be_made(self) -> bool:
        """Whether Complete was called on this upload before, in this run or an earlier one."""
        return self._called

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
        if (
            by_parts not in BY_CHECKSUM
            and self.comparison is not None
            and self.comparison.proves_equal
        ):
            return "etag"
        return by_parts


def _others_there(survey: Surveyed, ours: str | None = None) -> tuple[tuple[str, int], ...]:
    """The other open uploads, with how many parts each has."""
    return tuple(
        (each.upload.upload_id, len(each.parts))
        for each in survey.candidates
        if each.upload.upload_id != ours
    )


def _ids(rivals: Sequence[tuple[str, int]]) -> list[str]:
    return sorted(upload_id for upload_id, _ in rivals)


def _others(one: Candidate, among: Sequence[Candidate]) -> list[str]:
    return [each.upload.upload_id for each in among if each is not one]
