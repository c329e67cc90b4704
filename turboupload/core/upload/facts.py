"""What is known of one upload, and what follows from it for the read set that it makes."""

from __future__ import annotations

from collections.abc import Sequence

from turboupload.core.model import Checksum, FileIdentity, FileType, Phase, ReadSet, Verified
from turboupload.core.proof.checksum import BY_CHECKSUM, Spelling
from turboupload.core.proof.etag import ContentETag, ETagComparison
from turboupload.core.records import ReadSetDetails
from turboupload.core.upload.actions import Declare, Survey
from turboupload.core.upload.events import Completed, ETagComputed, Opened, Surveyed, UploadRefused
from turboupload.core.upload.matching import goes_first, holds_these_sizes
from turboupload.core.upload.ownership import Ownership
from turboupload.core.upload.parts.ledger import PartLedger
from turboupload.core.upload.patience import Patience
from turboupload.core.upload.plan import Plan
from turboupload.value import Value

__all__ = ["UploadFacts", "UploadOptions"]


class UploadOptions(Value, frozen=True, kw_only=True):
    """What the user decided about this upload.

    Attributes:
        checksum: What is computed of each part.
        resume: Whether to continue an open upload of these files.
        force: Whether to upload again although the read set exists.
        upload_id: The upload to continue, where the user named one.
        prove: Whether to compare the read set's ETag with that of the files.
        now: When this run started, in seconds since the epoch, by our clock.
        patience_s: How long to ask again for what one answer doesn't show, in seconds; longer than
            a listing may lag.
        slow_patience_s: The same after a Complete that was not answered in time, or where another
            host may have called one: the service may still be working on it.
        stand_aside_s: How long to wait for another upload of the same parts that shows no
            progress, in seconds.
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


class UploadFacts:
    """What is known of one upload. `Upload` alone writes it; the decisions read it.

    Args:
        store_id: The sequence store.
        read_set: The metadata, and the paths of the files.
        file_type: What the files are.
        plan: How the files are cut into parts.
        options: What the user decided.

    Attributes:
        store_id: As given.
        read_set: As given.
        file_type: As given.
        plan: How the files are cut; an adopted upload may change the part size.
        options: As given.
        phase: Where the upload is in its life.
        ledger: What is known of each part.
        attempt: How many uploads of this content were abandoned before this one; None before the
            first.
        checksum: What is computed of each part.
        upload_id: The service's id, once there is one.
        read_set_id: The service's id, once there is one.
        record: The read set as the service last described it.
        token: The client token of Create.
        token_tried: Whether Create may have been called with it before.
        trusts_journal: Whether the journal's digests are of these very files.
        touched: Whether their inodes were changed since then: perhaps by a write in place after
            which the time of the last modification was set back.
        ownership: Which read sets are ours.
        known_read_sets: Read sets that existed before the upload was opened, and so aren't its
            result.
        known_uploads: Other uploads that were seen open by then, with what each held, in bytes.
        left_alone: Uploads with parts of other files, as they were seen; they aren't adopted again.
        spent: Uploads of which a read set is known to have been made; they may be listed for as
            long as the service processes it, and aren't adopted.
        seen_uploads: Every upload that was open, as far as this run or the journal knows.
        turned_down: Read sets that were met and had failed: none of them comes of a later upload,
            whatever an old listing leaves out.
        waited_out: Uploads that aren't gone on with, and of whose Complete nothing came for as long
            as one may take.
        passed_over: The read set that the journal knows, where the user wants another one beside
            it (`force`): it isn't the result, even if a listing shows it late.
        vanished: A read set of ours that the service says doesn't exist any more.
        vanished_before: Whether an earlier run was told so: what is described again is there.
        accepts_existing: Whether the read sets that exist now are to be recorded as known, since
            the user asked for another one (`force`).
        patience_before_reopening: What was left of the patience when the upload itself was asked
            whether it is open.
        unsettled: Whether a read set may exist, or come up soon, that no survey has shown yet: our
            token was used before, or other files came into the upload that it made, so another host
            has these files, too; or an upload that was whole is not gone on with.
        restarted: Whether this run already started again because no read set resulted from an
            upload.
        of_earlier_run: The upload of which the journal told when this run began, if any.
        survey: What the service has, as last asked; None where that must be asked (again).
        taken_over: Whether the upload was found, and not made by a call of Create; or was made so,
            and others have cut it, or it was gone on with for other files.
        of_our_token: Whether Create gave it for the token of these very files, so that whoever else
            sends into it has, or had, these files.
        sole_sender: Whether an earlier run made the upload, and only runs of this journal have
            sent parts of it, as far as is known; see `early_parts`.
        listed: Whether the upload's parts were listed in this run.
        cut_of_others: The part size by which another host has cut the files, in bytes, where ours
            gives way to it; see `cuts`.
        complete_called: Whether Complete was called on this upload, in this run or an earlier one.
        unresolved: Whether a Create or Complete was made whose result isn't known.
        reopened: Whether the upload itself was asked for since, because nothing else has come.
        asked_at_last: Whether that was done when all patience was over, so that no lag explains
            the answer.
        gone: Whether the service says that the upload isn't open.
        known_gone: Whether it has said so since Complete was called.
        refused: Whether it has refused to complete the upload, for another reason.
        refused_spelling: How the parts' checksums were written when it did so last.
        turned_away: How the service last refused a call on the upload without saying that it isn't
            open; None where it said so.
        ended_elsewhere: Whether it was gone while this run was sending its parts, and Complete had
            not been called.
        perhaps_made: Whether a read set of ours, made by another host, or by an earlier run that
            the journal doesn't tell of, may come up soon.
        rivals: Other open uploads that may hold our parts, with what each holds, in bytes.
        whole_besides: Other open uploads that hold our files whole, rivals or left over.
        patience: How long to ask again before "it is not there" is believed.
        completed: The fact that the read set exists, and why it is ours.
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
        self.plan = self._planned = plan
        self.options = options
        self.phase = Phase.PLANNED
        self.ledger = PartLedger(plan, options.patience_s)
        self.attempt: int | None = None
        self.checksum: Checksum = options.checksum
        self.upload_id: str | None = None
        self.read_set_id: str | None = None
        self.record: ReadSetDetails | None = None
        self.token = ""
        self.token_tried = False
        self.trusts_journal = False
        self.touched = False
        self.ownership = Ownership(read_set, file_type, plan.sources)
        self.known_read_sets: frozenset[str] = frozenset()
        self.known_uploads: dict[str, int] = {}
        self.left_alone: set[str] = set()
        self.spent: set[str] = set()
        self.seen_uploads: set[str] = set()
        self.turned_down: set[str] = set()
        self.waited_out: set[str] = set()
        self.passed_over: frozenset[str] = frozenset()
        self.vanished: str | None = None
        self.vanished_before = False
        self.accepts_existing = False
        self.patience_before_reopening: Patience | None = None
        self.unsettled = False
        self.restarted = False
        self.of_earlier_run: str | None = None
        self.forget()

    def forget(self) -> None:
        """Returns to the state in which no upload and no read set of this content is known."""
        self.phase = Phase.PLANNED
        self.upload_id = None
        self.read_set_id = None
        self.record = None
        if self.plan.streamed:
            # What another stream gave is nothing that this one gives.
            self.plan = self._planned
            self.ownership.sources = self.plan.sources
        self.ledger = PartLedger(self.plan, self.options.patience_s)
        self.survey: Surveyed | None = None
        self.taken_over = self.of_our_token = self.sole_sender = False
        self.listed = False
        self.cut_of_others: int | None = None
        self.complete_called = False
        self.unresolved = False
        self.reopened = self.asked_at_last = False
        self.gone = self.known_gone = self.refused = False
        self.refused_spelling: Spelling | None = None
        self.turned_away: UploadRefused | None = None
        self.ended_elsewhere = False
        self.perhaps_made = False
        self.rivals: tuple[tuple[str, int], ...] = ()
        self.whole_besides: frozenset[str] = frozenset()
        self.patience = Patience(self.options.patience_s)
        self.completed: Completed | None = None

    def new_read_sets(self) -> list[ReadSetDetails]:
        """Read sets with our metadata that did not exist when the upload was opened.

        With `force`, one that was made of another upload of this journal, such as of the files as
        they were before, existed then: a listing that lags didn't show it.
        """
        assert self.survey is not None
        known = self.known_read_sets | self.turned_down
        if self.options.force:
            known |= self.survey.made_otherwise
        return [
            record
            for record in self.survey.read_sets
            if record.read_set_id not in known
            and (self.ownership.could_be_ours(record) or self.ownership.failed_like_ours(record))
        ]

    def perhaps_ours(self) -> list[ReadSetDetails]:
        """Those of the new read sets that may have been made of our upload."""
        assert self.survey is not None
        made_otherwise = self.survey.made_otherwise
        return [each for each in self.new_read_sets() if each.read_set_id not in made_otherwise]

    def survey_again(self, *, probe: bool = False) -> Survey:
        """The action that asks once more, after the pause that is due.

        Args:
            probe: Whether to compare a part of each other open upload with our files.
        """
        return Survey(after_s=self.patience.pause_s, probe=probe)

    def return_to_upload(self, *, not_its_result: Sequence[str] = ()) -> Declare:
        """The action that records our upload as open: the next call on it tells whether it is.

        Args:
            not_its_result: Read sets that weren't made of it.
        """
        assert self.upload_id is not None
        return Declare(
            Opened(
                upload_id=self.upload_id,
                adopted=False,
                part_size=self.plan.part_size,
                known_read_sets=tuple(not_its_result),
            )
        )

    @property
    def lists_ours(self) -> bool:
        """Whether the last survey shows our upload as open."""
        return self.survey is not None and any(
            each.upload.upload_id == self.upload_id for each in self.survey.candidates
        )

    @property
    def has_parts_of_others(self) -> bool:
        """Whether the upload has parts that are not of these files, as far as is known.

        One that was cut short on its way was ours, where nobody else has sent any: it was under
        way when an earlier run ended. And parts that replaced ours are sent again in our own
        upload; one that was found is left to whoever sends them.
        """
        counts = self.ledger.counts
        return (
            self.ledger.of_other_files
            or counts.strange > 0
            or (counts.cut_short > 0 and not self.sole_sender)
            or (counts.replaced > 0 and self.taken_over)
        )

    @property
    def leaves_way(self) -> bool:
        """Whether another upload with our parts is the one to be completed."""
        return not goes_first(self.upload_id or "", [each for each, _ in self.rivals])

    @property
    def wait_for_others_s(self) -> float:
        """How long to wait for other uploads while nothing changes, in seconds.

        The Complete of one that is whole may be under way, by a process that has ended: it is
        waited for as long as one of our own that is slow. Of two hosts that wait so for each other,
        the one whose upload is older waits until it would see the read set of the other.
        """
        if self.leaves_way:
            return self.options.stand_aside_s
        if not self.whole_besides:
            return self.options.patience_s
        first = goes_first(self.upload_id or "", self.whole_besides)
        return self.options.slow_patience_s + (2 * self.options.patience_s if first else 0)

    @property
    def unproven(self) -> bool:
        """Whether only its metadata says so far that the read set is ours."""
        if self.completed is None or self.completed.proof in ("reply", "journal", "etag"):
            return False
        if self.completed.proof == "fresh" and self.phase is Phase.PROCESSING:
            return False
        return self.comparison is None or not self.comparison.proves_equal

    @property
    def waits_for_others(self) -> bool:
        """Whether Complete waits because a read set of these files may have been made elsewhere."""
        return self.phase is Phase.OPEN and self.perhaps_made

    @property
    def to_be_confirmed(self) -> bool:
        """Whether to check, once the read set is ACTIVE, that it is ours."""
        return self.unproven or (self.completed is not None and self.completed.proof == "fresh")

    @property
    def unseen(self) -> bool:
        """Whether the read set is ours, and the service has never shown it."""
        if self.completed is None or self.record is not None:
            return False
        return self.completed.proof in ("reply", "journal", "fresh")

    @property
    def assumed(self) -> bool:
        """Whether only metadata and age say that the read set was made of our parts.

        That is so where the reply to Complete was lost and its sizes don't prove it (yet).
        """
        if self.completed is None or self.completed.proof not in ("journal", "fresh"):
            return False
        return self.record is None or self.sizes_of(self.record) != "yes"

    def sizes_of(self, record: ReadSetDetails) -> str:
        """Whether a read set has the sizes of our files: `yes`, `no` or `unknown`."""
        return holds_these_sizes(record, self.plan.sources, self.file_type)

    @property
    def computed(self) -> ETagComputed | None:
        """The ETag of our files in the read set's family, once it was computed."""
        theirs = ContentETag.of(self.record.etag) if self.record is not None else None
        return self.ownership.computed.get(theirs.family) if theirs is not None else None

    @property
    def comparison(self) -> ETagComparison | None:
        """How the read set's ETag compares with ours, once both are known."""
        return self.ownership.compared(self.record)

    @property
    def wants_another(self) -> bool:
        """Whether the user wants another upload than what is there."""
        return self.options.force or not self.options.resume

    @property
    def leaves_upload(self) -> bool:
        """Whether the user wants to go on with another upload than this one.

        With `resume=False` that is every upload but those that this run has opened.
        """
        if not self.options.resume and self.upload_id in (None, self.of_earlier_run):
            return True
        return self.options.upload_id not in (None, self.upload_id)

    @property
    def identities(self) -> tuple[FileIdentity, ...]:
        """Which files these are, in the order of the sources; a stream is none."""
        return tuple(
            file.identity
            for source in self.plan.sources
            if not source.streamed
            for file in source.files
        )

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
