"""One upload's state: `receive(event)` takes facts in, `next()` says what to do about them.

Nothing here waits, reads or asks the time. After a crash the journal's rows are received again, in
their order, and then the service is asked what it has; the code that resumes is the code that
runs every second.

What may happen in which phase is the table in `transitions`. What to do in each phase is decided by
`opening`, `sending`, `completing` and `confirming`, from what `facts` knows.

Exactly one read set: where the documentation leaves something open, the state takes the way that
makes no second one.

- Right before Complete the service is asked once more for a read set that has come since, and for
  another open upload with the same parts. (The service may forget or ignore client tokens.)
- Whenever a read set may have been made whose id we don't know (the reply was lost, a refusal may
  only mean "done already", the upload is gone), the state looks for new read sets first, for longer
  than a listing may lag. Only then is Complete called again, or a new upload opened.
- An upload holds only parts of our files, or it is left untouched: parts that we didn't send are
  compared before anything is sent.
- A read set that we found counts as ours only on proof: its ETag, or the journal. Otherwise the
  upload is refused with the read set's id.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from turboupload.core.model import FileIdentity, Phase
from turboupload.core.records import ReadSetDetails
from turboupload.core.upload.actions import Action, PollReadSet
from turboupload.core.upload.completing import next_completing
from turboupload.core.upload.confirming import next_confirming
from turboupload.core.upload.events import (
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
    SourceGrew,
    StatusSeen,
    Surveyed,
    UploadGone,
    UploadRefused,
)
from turboupload.core.upload.facts import UploadFacts, UploadOptions
from turboupload.core.upload.matching import is_finished
from turboupload.core.upload.opening import next_opening, next_planned
from turboupload.core.upload.parts.ledger import PartLedger
from turboupload.core.upload.patience import Patience
from turboupload.core.upload.rivals import find_rivals, find_whole, may_be_whole, upload_ids
from turboupload.core.upload.sending import next_open
from turboupload.core.upload.transitions import TRANSITIONS

__all__ = ["TRANSITIONS", "Upload", "UploadOptions"]


class Upload(UploadFacts):
    """The state of one upload; its arguments and attributes are those of `UploadFacts`."""

    def replay(self, events: Iterable[Event]) -> None:
        """Receives the journal's rows; what they say about the service is asked again afterwards.

        `force` ignores a finished read set, but not an upload under way, so that the same command
        resumes after a crash. `resume=False` ignores what is under way, and an upload id every
        other upload. None of them ignores a Complete that may have worked; nor does an upload id
        ignore the read set that was made: what is listed now may be older.
        """
        for event in events:
            # Not recorded: that the token was used, and why an open upload was left.
            found = isinstance(event, Opened) and event.adopted and self.phase is Phase.OPENING
            left = isinstance(event, Opening) and self.phase is Phase.OPEN
            self.unsettled |= (found or left) and not self.plan.streamed
            self.receive(event)
            if isinstance(event, Completed):
                self.seen_uploads.clear()
        self.of_earlier_run = self.upload_id
        self.token_tried = self.phase is Phase.OPENING
        self.listed = False
        self.survey = None
        self.reopened = self.asked_at_last = False
        self.vanished_before = self.vanished is not None
        self.unresolved = self.phase is Phase.COMPLETING
        self.patience = (
            self._patience_for_result(slow=False)
            if self.unresolved
            else Patience(self.options.patience_s)
        )
        if self.phase is Phase.OPEN and self.touched:
            self._distrust_journal()
        finished = self.phase in (Phase.PROCESSING, Phase.ACTIVE, Phase.FAILED)
        under_way = self.phase in (Phase.OPENING, Phase.OPEN)
        if finished and self.options.force and self.read_set_id is not None:
            self.passed_over = frozenset({self.read_set_id})
        made = self.phase in (Phase.PROCESSING, Phase.ACTIVE)
        other = self.options.upload_id not in (None, self.upload_id) and not made
        if not self.unresolved and under_way and (other or not self.options.resume):
            self._keep_in_view()
            self._leave()
        elif not self.unresolved and (other or (finished and self.options.force)):
            self.forget()
        elif finished:
            self.phase = Phase.PROCESSING
        self.sole_sender = (
            self.phase is Phase.OPEN
            and self.trusts_journal
            and not self.taken_over
            and not self.complete_called
        )
        # Read sets that exist when the user asks for another one don't block it.
        self.accepts_existing = (
            self.options.force and self.phase is Phase.OPEN and not self.complete_called
        )

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
                self._take_survey(event)
            case Opening():
                self._start_attempt(event)
            case CreateUnclear():
                self._create_unclear(event)
            case Opened():
                self._take_opened(event)
            case PartsListed() if self.phase is not Phase.OPEN:
                self.listed = True
            case PartsListed():
                self.listed = True
                self.cut_of_others = self.ledger.cut_to_take(event.parts)
                if self.cut_of_others is not None:
                    return
                self.ledger.listed(event.parts)
                # Another host sent all of them, or an earlier run, whose journal may have been set
                # back since: perhaps it called Complete, too.
                self.perhaps_made |= self.ledger.complete_for_others or (
                    self.ledger.complete_before and not self.complete_called
                )
            case SourceGrew():
                self._grow(event.size, ended=event.ended)
            case PartSeen():
                if self.plan.open_ended and event.origin == "journal":
                    end = event.part.offset + event.part.size
                    self._grow(max(end, self.plan.total_bytes), ended=False)
                if event.origin != "journal" or self.trusts_journal:
                    self.ledger.seen(event)
            case NothingCame():
                # One that was said to be gone doesn't count: it was waited for a shorter time.
                if self.upload_id is not None and self.leaves_upload and not self.known_gone:
                    self.waited_out.add(self.upload_id)
                self.restarted = True
                self.forget()
            case Disowned():
                self._keep_in_view()
                self.left_alone.add(event.upload_id)
                # Another host of these files may put it right, where it is our token's.
                self.unsettled |= self.of_our_token
                self.forget()
            case Completing():
                self.phase = Phase.COMPLETING
                if self.plan.open_ended:
                    # Of the journal: an earlier run had read the stream to its end.
                    self._grow(self.plan.total_bytes, ended=True)
                self.complete_called = True
                self.unresolved = self.gone = self.known_gone = self.refused = False
                self.survey = None
            case CompleteLost():
                self.refused |= event.refused
                if event.refused:
                    self.refused_spelling = self.ledger.spelling(refused=self.refused_spelling)
                self._look_for_result(self._patience_for_result(slow=event.slow), gone=event.gone)
            case Completed() if self._made_before(event):
                assert self.upload_id is not None
                self.spent.add(self.upload_id)
                self.restarted = True
                self.forget()
            case Completed():
                self.phase = Phase.PROCESSING
                self.read_set_id = event.read_set_id
                self.completed = event
                self.survey = None
                self.listed = self.unsettled = False
                self.patience = Patience(self.options.patience_s)
                if event.proof in ("reply", "journal", "fresh"):
                    self.ledger.completed()
                if event.proof in ("reply", "journal") and self.upload_id is not None:
                    self.spent.add(self.upload_id)
            case StatusSeen():
                self._take_status(event.record)
            case ETagComputed():
                self.ownership.computed[event.family] = event
            case ReadSetGone():
                self.vanished = self.read_set_id
                self.vanished_before = False
                self.forget()
            case UploadGone():
                self.turned_away = None
                self._lose(aborted=event.aborted)
            case UploadRefused():
                self.turned_away = event
                self._lose(aborted=False)

    def _made_before(self, event: Completed) -> bool:
        """Whether Complete only repeats what became of the upload, where another is wanted.

        An upload may be listed for as long as its read set is processed, so it may have been
        adopted when it was one. Once in a run: a service that always says so isn't asked for ever.
        """
        known = event.read_set_id in self.known_read_sets
        return self.options.force and event.proof == "reply" and known and not self.restarted

    def _patience_for_result(self, *, slow: bool) -> Patience:
        """How long to look for the read set of a Complete whose result isn't known.

        A Complete that is made again on the same upload does no harm to one that is under way. A
        new upload beside it makes a second read set, so it waits as for one that is slow.
        """
        late = slow or self.leaves_upload
        return Patience(self.options.slow_patience_s if late else self.options.patience_s)

    def _look_for_result(self, patience: Patience, *, gone: bool) -> None:
        """Takes in that a read set may have been made, whose id isn't known."""
        self.phase = Phase.COMPLETING
        self.unresolved = True
        self.patience = patience
        self.gone = gone
        self.known_gone |= gone
        self.survey = None

    def _leave(self) -> None:
        """Forgets an upload that isn't gone on with.

        If it was whole, a run may have looked for the read set of these files, found one, and ended
        before that was recorded. The next listing may be older.
        """
        self.unsettled |= not self.plan.open_ended and (
            self.ledger.bytes_there == self.plan.total_bytes
        )
        self.forget()

    def _lose(self, *, aborted: bool) -> None:
        """Takes in that the upload isn't open (any more), as far as is known."""
        if self.phase in (Phase.PROCESSING, Phase.ACTIVE, Phase.FAILED):
            self.gone = True
        elif aborted and not self.complete_called:
            self._leave()
        else:
            # It was completed here or elsewhere, perhaps a moment ago; it expired; or the service
            # doesn't know it yet. Where that was known before, the patience isn't renewed.
            left = self.patience_before_reopening if self.reopened and self.known_gone else None
            self.known_gone = True
            was_sending = self.phase is Phase.OPEN and self.ledger.has_sent
            self.ended_elsewhere |= was_sending and not self.complete_called
            self._look_for_result(left or Patience(self.options.patience_s), gone=True)

    def _create_unclear(self, event: CreateUnclear) -> None:
        """Takes in that Create may have opened an upload whose id isn't known."""
        if event.token_used:
            self.unsettled = True
            self._look_for_result(Patience(self.options.patience_s), gone=True)
        else:
            self.token_tried = True
            self.survey = None
            self.unresolved = True
            self.patience = Patience(self.options.patience_s)

    def _keep_in_view(self) -> None:
        """Remembers that an upload which isn't gone on with was open, listed or not.

        Once it isn't listed any more, somebody may have completed it: another host to which the
        same token gave it, or a run whose journal was set back since.
        """
        if self.phase is Phase.OPEN and self.upload_id is not None:
            self.seen_uploads.add(self.upload_id)

    def _start_attempt(self, event: Opening) -> None:
        self._keep_in_view()
        self.forget()
        self.phase = Phase.OPENING
        self.attempt = event.attempt
        self.checksum = event.checksum
        self.token, self.token_tried = event.token, False
        self.known_read_sets = frozenset(event.known_read_sets)
        self.known_uploads = dict(event.known_uploads)
        # The next attempt may begin with a listing that leaves them out.
        self.seen_uploads |= self.known_uploads.keys()
        self._compare_files(event.identities)
        self._cut(event.part_size)

    def _take_opened(self, event: Opened) -> None:
        """An upload is open; its parts are listed next, since a token may return one with parts."""
        same = event.upload_id == self.upload_id
        former = self.ledger if same and self.phase is Phase.OPEN else None
        if not same:
            self.complete_called, self.refused_spelling = False, None
            self.ledger = PartLedger(self.plan, self.options.patience_s)
            self.of_our_token = not event.adopted
        self.of_our_token &= self.trusts_journal
        if self.phase is not Phase.OPEN:
            self.reopened = same
            self.asked_at_last = same and self.patience.exhausted
            self.patience_before_reopening = self.patience
        self.patience = Patience(self.options.patience_s)
        self.upload_id = event.upload_id
        self.taken_over |= event.adopted
        self.perhaps_made |= self.unsettled
        self.sole_sender = False
        self.read_set_id = self.record = self.completed = None
        self.listed = self.unresolved = self.gone = False
        self.survey = None
        self.cut_of_others = None
        if not event.adopted and same and self.phase is Phase.COMPLETING and self.touched:
            # All parts were there before that, so none of them would be read again.
            self._distrust_journal()
        if event.adopted:
            if self.touched:
                self._distrust_journal()
            self._compare_files(event.identities)
            if not self.trusts_journal:
                # Other files continued it, and may have replaced any part since.
                self._distrust_journal()
        self.known_read_sets |= frozenset(event.known_read_sets)
        self.known_uploads |= dict(event.known_uploads)
        self.accepts_existing = False
        self._cut(event.part_size, former=former)
        self.phase = Phase.OPEN

    def _compare_files(self, recorded: tuple[FileIdentity, ...]) -> None:
        """Finds out whether what is recorded of parts is of these very files."""
        self.trusts_journal = recorded == self.identities
        self.touched = self.trusts_journal and any(
            now.was_touched(then) for now, then in zip(self.identities, recorded, strict=True)
        )

    def _distrust_journal(self) -> None:
        """Forgets the digests of parts: the files are read again, and compared."""
        self.trusts_journal = False
        self.ledger = PartLedger(self.plan, self.options.patience_s)

    def _cut(self, part_size: int, *, former: PartLedger | None = None) -> None:
        if part_size != self.plan.part_size:
            self.plan = replace(self.plan, part_size=part_size)
            self.ledger = PartLedger(self.plan, self.options.patience_s, former=former)

    def _grow(self, size: int, *, ended: bool) -> None:
        self.plan = self.plan.grown(size, ended=ended)
        self.ownership.sources = self.plan.sources
        self.ledger.extend(self.plan)

    def _take_survey(self, event: Surveyed) -> None:
        self.survey = event
        self.patience.looked()
        # An upload that was open and isn't any more may be a read set by now.
        listed = {each.upload.upload_id for each in event.candidates}
        settled = self.spent | {self.upload_id}
        self.seen_uploads |= listed | event.shown
        vanished = (self.seen_uploads | self.known_uploads.keys()) - listed - settled
        if self.phase is not Phase.OPEN or self.accepts_existing:
            return
        self.perhaps_made |= bool(vanished)
        self.perhaps_made |= any(
            each.probe == "gone" or may_be_whole(self, each)
            for each in event.candidates
            if each.upload.upload_id not in settled
        )
        before, self.rivals = self.rivals, find_rivals(self)
        whole_before, self.whole_besides = self.whole_besides, find_whole(self)
        others = upload_ids(self.rivals) != upload_ids(before) or self.whole_besides != whole_before
        if others or (self.rivals != before and (self.leaves_way or self.whole_besides)):
            # The wait starts again: another has appeared, is gone, or has got another part.
            self.perhaps_made = True
            self.patience = Patience(self.wait_for_others_s)
            self.patience.looked()

    def _take_status(self, record: ReadSetDetails) -> None:
        self.record = record
        self.vanished = None
        if record.status == "UPLOAD_FAILED":
            self.turned_down.add(record.read_set_id)
            if self.unproven:
                # Another host's read set that failed doesn't block an upload.
                self.forget()
            else:
                self.phase = Phase.FAILED
        elif is_finished(record):
            self.phase = Phase.ACTIVE

    def next(self) -> Action:
        """What to do now.

        Raises:
            ServiceRefused: A read set that can't be proven to be ours has our metadata, or the
                upload that the user named isn't open.
            IntegrityError: The upload that the user named has other bytes, or the read set has.
            Stopped: Whether Complete took effect can't be found out.
        """
        match self.phase:
            case Phase.PLANNED:
                return next_planned(self)
            case Phase.OPENING:
                return next_opening(self)
            case Phase.OPEN:
                return next_open(self)
            case Phase.COMPLETING:
                return next_completing(self)
            case Phase.PROCESSING:
                assert self.read_set_id is not None
                return PollReadSet(self.read_set_id)
            case Phase.ACTIVE | Phase.FAILED:
                return next_confirming(self)
