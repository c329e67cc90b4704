"""One upload's state, driven without anything around it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.values import (
    checksum,
    digest,
    listed,
    plan,
    record,
    source,
    upload,
)
from turboupload.core.model import FileType, Part, PartSource, Phase
from turboupload.core.proof.etag import ContentETag
from turboupload.core.proof.evidence import comparisons_of
from turboupload.core.proof.receipt import judge
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
    UploadRefused,
)
from turboupload.core.upload.identity import client_token
from turboupload.core.upload.parts import cuts
from turboupload.core.upload.parts.work import CheckPart, ListAgain, SendPart
from turboupload.core.upload.state import TRANSITIONS, Upload, UploadOptions
from turboupload.errors import IntegrityError, ServiceRefused, Stopped

NOTHING = Surveyed((), ())
NOW = 1_700_000_000.0
ETAG = ETag(algorithm="FASTQ_MD5up", source1="aa" * 16, source2="bb" * 16)


def ours_in(family: str) -> ETagComputed:
    """The ETag of our files, of which every read set of `Service` is made."""
    etag = ContentETag(f"FASTQ_{family}", "aa" * 16, "bb" * 16)
    return ETagComputed(family=family, etag=etag)


def sent(part: Part, origin: str = "sent") -> PartSeen:
    return PartSeen(part=part, digest=digest(part), checksum=checksum(part), origin=origin)  # type: ignore[arg-type] # the test's own literals


def candidate(
    upload_id: str = "1000000001",
    parts: tuple[UploadPart, ...] = (),
    probe: str = "equal",
    part_size: int | None = 4,
) -> Candidate:
    about = MultipartUpload(
        upload_id=upload_id,
        file_type="FASTQ",
        name="lane 1",
        sample_id="HG002",
        subject_id="NA24385",
    )
    return Candidate(about, parts, part_size, probe)  # type: ignore[arg-type] # the test's own literals


class Service:
    """The least service that answers a state's actions, and can forget replies."""

    def __init__(self) -> None:
        self.tokens: dict[str, str] = {}
        self.open: dict[str, dict[tuple[object, int], UploadPart]] = {}
        self.read_sets: list[ReadSetDetails] = []
        self.creates = 0
        self.sent: list[Part] = []

    def answer(self, state: Upload) -> list[Event]:
        """Does the state's next action; returns the facts."""
        match state.next():
            case Survey():
                return [
                    Surveyed(
                        tuple(
                            candidate(
                                upload_id, tuple(parts.values()), "equal" if parts else "unknown"
                            )
                            for upload_id, parts in self.open.items()
                        ),
                        tuple(self.read_sets),
                    )
                ]
            case Declare(event):
                return [event]
            case Create(token):
                if token not in self.tokens:
                    self.creates += 1
                    self.tokens[token] = f"{1_000_000_000 + self.creates}"
                    self.open[self.tokens[token]] = {}
                return [
                    Opened(
                        upload_id=self.tokens[token],
                        adopted=False,
                        part_size=state.plan.part_size,
                    )
                ]
            case ListParts(upload_id):
                if upload_id not in self.open:
                    return [UploadGone()]
                return [PartsListed(tuple(self.open[upload_id].values()))]
            case SendParts(upload_id):
                work = state.ledger.take()
                assert work is not None
                if isinstance(work, CheckPart):
                    text = state.ledger.confirmed(work.part, digest(work.part))
                    return [
                        PartSeen(
                            part=work.part,
                            digest=digest(work.part),
                            checksum=text,
                            origin="checked",
                        )
                    ]
                if isinstance(work, ListAgain):
                    return [PartsListed(tuple(self.open[upload_id].values()))]
                self.sent.append(work.part)
                self.open[upload_id][work.part.source, work.part.number] = listed(work.part)
                return [sent(work.part)]
            case Complete(upload_id, parts):
                if upload_id not in self.open:
                    return [CompleteLost()]
                assert list(parts) == sorted(
                    self.open.pop(upload_id).values(), key=lambda row: (row.source, row.number)
                )
                sizes = [each.size for each in state.plan.sources]
                made = record(
                    "ACTIVE", *sizes, read_set_id=f"{9_000_000_000 + len(self.read_sets)}"
                )
                made = replace(made, etag=ETAG)
                self.read_sets.append(made)
                return [Completed(read_set_id=made.read_set_id)]
            case PollReadSet(read_set_id):
                for each in self.read_sets:
                    if each.read_set_id == read_set_id:
                        return [StatusSeen(each)]
                return [ReadSetGone()]
            case Prove(family):
                return [ours_in(family)]
            case Done():
                return []


JOURNALLED = (
    Opening, Opened, PartSeen, Completing, Completed, StatusSeen, UploadGone, ReadSetGone,
)  # fmt: skip


def as_journal(event: Event) -> Event:
    if isinstance(event, PartSeen):
        return PartSeen(
            part=event.part, digest=event.digest, checksum=event.checksum, origin="journal"
        )
    return event


def drive(state: Upload, service: Service, journal: list[Event], steps: int = 1000) -> bool:
    """Runs up to `steps` actions; True when done."""
    for _ in range(steps):
        events = service.answer(state)
        if not events:
            return True
        for event in events:
            if isinstance(event, JOURNALLED):
                journal.append(as_journal(event))
            state.receive(event)
    return False


# --- the straight way -------------------------------------------------------------------------


def test_a_new_upload_goes_through_its_life_once() -> None:
    service, journal = Service(), list[Event]()
    state = upload(10, 6)
    state.replay([])
    assert drive(state, service, journal)
    assert state.phase is Phase.ACTIVE
    assert state.verified == "sha256"
    assert service.creates == 1
    assert len(service.sent) == state.plan.total_parts
    assert [type(event) for event in journal[:2]] == [Opening, Opened]
    assert [type(event) for event in journal[-3:]] == [Completing, Completed, StatusSeen]


def test_the_token_is_declared_before_create_and_names_this_content() -> None:
    state = upload(10)
    state.replay([])
    state.receive(NOTHING)
    action = state.next()
    assert isinstance(action, Declare)
    opening = action.event
    assert isinstance(opening, Opening)
    assert opening.token == client_token(
        store_id=state.store_id,
        read_set=state.read_set,
        file_type=FileType.FASTQ,
        sources=state.plan.sources,
        attempt=0,
    )
    state.receive(opening)
    assert state.next() == Create(opening.token)


# --- cut anew -----------------------------------------------------------------------------------


def opened_and_cut_anew(service: Service, journal: list[Event]) -> Upload:
    """An upload of 10 bytes, cut into 8 and 2, and then, before any part was sent, by 4."""
    state = upload(10, part_size=8)
    state.replay([])
    while not isinstance(action := state.next(), SendParts):
        drive(state, service, journal, 1)
    token = state.token
    recut = Opened(upload_id=action.upload_id, adopted=False, part_size=4)
    journal.append(recut)
    state.receive(recut)
    assert (state.plan.part_size, state.token) == (4, token)
    return state


@pytest.mark.parametrize("resumed", [False, True])
@pytest.mark.parametrize("left", [None, 3, 4, 7])
def test_an_upload_that_is_cut_anew_goes_on_whatever_is_left_of_the_part_before(
    left: int | None, resumed: bool
) -> None:
    service, journal = Service(), list[Event]()
    state = opened_and_cut_anew(service, journal)
    (upload_id,) = service.open
    if left is not None:
        part = replace(listed(Part(PartSource.SOURCE1, 1, 0, left)), size=left)
        service.open[upload_id][PartSource.SOURCE1, 1] = part
    if resumed:
        state = upload(10, part_size=8)
        state.replay(journal)
    assert drive(state, service, journal)
    assert service.creates == 1
    assert [each.sizes for each in service.read_sets] == [{PartSource.SOURCE1: 10}]
    fits = left == 4
    assert [part.number for part in service.sent] == ([2, 3] if fits else [1, 2, 3])


def test_a_whole_part_of_the_cut_before_is_another_hosts_and_left_alone() -> None:
    service, journal = Service(), list[Event]()
    state = opened_and_cut_anew(service, journal)
    (upload_id,) = service.open
    whole = Part(PartSource.SOURCE1, 1, 0, 8)
    service.open[upload_id][PartSource.SOURCE1, 1] = listed(whole)
    drive(state, service, journal, 1)
    assert state.next() == Declare(Disowned(upload_id))


def test_what_a_new_cut_would_send_again_is_what_is_known_at_the_service() -> None:
    service, journal = Service(), list[Event]()
    state = upload(10, 6)
    state.replay([])
    while not service.sent:
        assert state.ledger.bytes_there == 0
        drive(state, service, journal, 1)
    assert state.ledger.bytes_there > 0


@given(
    cuts=st.lists(st.integers(1, 12), max_size=6),
    lose_journal=st.lists(st.booleans(), min_size=7, max_size=7),
    lose_reply=st.lists(st.booleans(), min_size=7, max_size=7),
)
@settings(max_examples=300)
def test_deaths_anywhere_make_one_read_set_and_send_no_proven_part_again(
    cuts: list[int], lose_journal: list[bool], lose_reply: list[bool]
) -> None:
    """Dies after some steps, with the last facts not journalled or the journal lost."""
    service, journal = Service(), list[Event]()
    for index, cut in enumerate([*cuts, 1000]):
        state = upload(10, 6)
        state.replay(journal)
        before = len(journal)
        done = drive(state, service, journal, cut)
        if done:
            break
        if (
            lose_reply[index]
            and len(journal) > before
            and isinstance(journal[-1], Opened | PartSeen | Completed)
        ):
            journal.pop()
        if lose_journal[index]:
            journal.clear()
    else:
        pytest.fail("did not end")
    assert len(service.read_sets) == 1
    assert not service.open or all(not parts for parts in service.open.values())
    assert len(service.sent) == len(set(service.sent)) == state.plan.total_parts


# --- resuming ---------------------------------------------------------------------------------


def resumed(*events: Event, options: UploadOptions | None = None, mtime_ns: int = 1) -> Upload:
    state = upload(10, options=options, mtime_ns=mtime_ns)
    state.replay(events)
    return state


def opening(part_size: int = 4, attempt: int = 0, known: tuple[str, ...] = ()) -> Opening:
    return Opening(
        attempt=attempt,
        token="t",
        part_size=part_size,
        checksum="sha256",
        identities=(source().files[0].identity,),
        known_read_sets=known,
        started=NOW,
    )


REFUSED = UploadRefused("ListReadSetUploadParts", "Gone", "no such thing (Gone)")
OPENED = Opened(upload_id="1000000001", adopted=False, part_size=4)
PARTS = list(plan(10).parts())
ALL = tuple(listed(part) for part in PARTS)
OURS = candidate(probe="unknown")


def surveyed(
    state: Upload, *read_sets: ReadSetDetails, uploads: tuple[Candidate, ...] = ()
) -> float:
    """Answers the survey that the state asks for; returns the pause that it wanted first."""
    action = state.next()
    assert isinstance(action, Survey)
    state.receive(Surveyed(uploads, read_sets))
    return action.after_s


def declared(state: Upload) -> Event:
    """The fact that the state declares next, received."""
    action = state.next()
    assert isinstance(action, Declare)
    state.receive(action.event)
    return action.event


def begun_anew(state: Upload, *uploads: Candidate) -> Opening:
    """What comes once it is certain that no read set resulted from the upload."""
    assert declared(state) == NothingCame()
    assert surveyed(state, uploads=uploads) == 0
    begun = declared(state)
    assert isinstance(begun, Opening)
    return begun


def listed_in_vain(state: Upload, *rows: UploadPart) -> float:
    """Answers listings until something else is to be done; returns how long they took, in s."""
    waited = 0.0
    while isinstance(work := state.ledger.take(), ListAgain):
        waited += work.after_s
        state.receive(PartsListed(rows))
    state.ledger.rewind()
    return waited


def send_all(state: Upload) -> None:
    """Sends every part of an upload that has none, up to the listing of all."""
    state.receive(PartsListed(()))
    while isinstance(work := state.ledger.take(), SendPart):
        state.receive(sent(work.part))
    state.receive(PartsListed(ALL))


def looked_in_vain(
    state: Upload, *read_sets: ReadSetDetails, uploads: tuple[Candidate, ...] = ()
) -> float:
    """Answers surveys until the state does something else; returns how long they took, in s."""
    waited = 0.0
    while isinstance(state.next(), Survey):
        waited += surveyed(state, *read_sets, uploads=uploads)
        if not isinstance(state.next(), Survey):
            break
        assert waited < 10_000
    return waited


def test_create_is_called_again_with_the_same_token_when_its_reply_was_lost() -> None:
    assert resumed(opening()).next() == Create("t")


def test_an_open_upload_is_asked_for_its_parts_and_only_the_missing_are_sent() -> None:
    state = resumed(opening(), OPENED, sent(PARTS[0], "journal"), sent(PARTS[1], "journal"))
    assert state.next() == ListParts("1000000001")
    state.receive(PartsListed((listed(PARTS[0]),)))
    assert state.next() == SendParts("1000000001")
    assert state.ledger.take() == SendPart(PARTS[2])
    assert state.ledger.take() is None
    state.receive(sent(PARTS[2]))
    # The journal has part 2 as sent, perhaps a moment ago: the listing may lag.
    assert listed_in_vain(state, listed(PARTS[0]), listed(PARTS[2])) == 75
    assert state.ledger.take() == SendPart(PARTS[1])


def test_the_journals_part_size_is_kept() -> None:
    state = resumed(opening(part_size=5), Opened(upload_id="1", adopted=False, part_size=5))
    assert state.plan.part_size == 5


def test_another_file_of_the_same_content_is_read_again_before_anything_is_skipped() -> None:
    state = resumed(opening(), OPENED, sent(PARTS[0], "journal"), mtime_ns=2)
    action = state.next()
    assert isinstance(action, Declare)
    assert isinstance(action.event, Opened)
    state.receive(action.event)
    assert state.next() == ListParts("1000000001")
    state.receive(PartsListed((listed(PARTS[0]),)))
    assert state.ledger.take() == CheckPart(PARTS[0])


def test_what_the_journal_recorded_is_forgotten_once_other_files_went_on_with_the_upload() -> None:
    others = replace(source().files[0].identity, mtime_ns=2)
    gone_on_with = Opened(upload_id="1000000001", adopted=True, part_size=4, identities=(others,))
    back = replace(gone_on_with, identities=(source().files[0].identity,))
    state = resumed(opening(), OPENED, sent(PARTS[0], "journal"), gone_on_with, back)
    # The other file's bytes may be there by now, and a listing without checksums can't tell.
    state.receive(PartsListed((replace(listed(PARTS[0]), checksum=None),)))
    assert state.ledger.take() == SendPart(PARTS[0])


def test_an_upload_that_is_gone_leads_to_a_new_attempt_with_another_token() -> None:
    state = resumed(opening(), OPENED)
    state.receive(UploadGone())
    # It may have been completed: a listing is given the time that it may lag.
    assert looked_in_vain(state) >= 60
    assert isinstance(declared(state), Opened)  # and the upload is asked once more itself
    assert state.next() == ListParts("1000000001")
    state.receive(UploadGone())
    looked_in_vain(state)
    begun = begun_anew(state)
    assert begun.attempt == 1
    assert begun.token != "t"


@pytest.mark.parametrize("there", [True, False])
def test_one_that_is_still_listed_then_is_asked_for_once_more(there: bool) -> None:
    """What said that it is gone, before all patience was over, may have been behind the list."""
    state = resumed(opening(), OPENED)
    while not state.asked_at_last:
        state.receive(UploadGone())
        looked_in_vain(state, uploads=(OURS,))
        assert isinstance(declared(state), Opened)
        assert state.next() == ListParts("1000000001")
    if there:
        state.receive(PartsListed(()))
        assert state.next() == SendParts("1000000001")
    else:
        state.receive(UploadGone())
        looked_in_vain(state, uploads=(OURS,))
        assert declared(state) == NothingCame()


@pytest.mark.parametrize("listed_still", [True, False])
def test_an_upload_that_is_only_refused_is_gone_where_it_is_not_listed(listed_still: bool) -> None:
    state = resumed(opening(), OPENED, sent(PARTS[0], "journal"))
    uploads = (OURS,) if listed_still else ()
    waited = 0.0
    while not state.asked_at_last:
        state.receive(REFUSED)
        waited += looked_in_vain(state, uploads=uploads)
        assert isinstance(declared(state), Opened)
        assert state.next() == ListParts("1000000001")
    assert waited >= 60
    state.receive(REFUSED)
    if not listed_still:
        looked_in_vain(state)
        assert declared(state) == NothingCame()
        return
    with pytest.raises(ServiceRefused, match="no such thing") as caught:
        looked_in_vain(state, uploads=uploads)
    assert caught.value.operation == "ListReadSetUploadParts"
    assert "--no-resume" in str(caught.value.hint)


def test_an_upload_that_is_refused_because_it_is_a_read_set_by_now_is_that_one() -> None:
    """It is listed for as long as its read set is processed."""
    state = resumed(opening(), OPENED, sent(PARTS[0], "journal"))
    state.receive(REFUSED)
    assert surveyed(state, record("PROCESSING_UPLOAD"), uploads=(OURS,)) == 0
    assert declared(state) == Completed(read_set_id="9000000001", adopted=True, proof="none")


def test_a_refusal_is_forgotten_where_the_service_then_says_that_the_upload_is_gone() -> None:
    state = resumed(opening(), OPENED)
    state.receive(REFUSED)
    while not state.asked_at_last:
        looked_in_vain(state, uploads=(OURS,))
        assert isinstance(declared(state), Opened)
        state.receive(UploadGone())
    looked_in_vain(state, uploads=(OURS,))
    assert declared(state) == NothingCame()


def test_an_upload_that_was_given_up_on_purpose_leads_to_a_new_one_at_once() -> None:
    state = resumed(opening(), OPENED, UploadGone(aborted=True))
    assert surveyed(state) == 0
    assert isinstance(declared(state), Opening)


def test_without_a_journal_an_upload_with_our_bytes_is_adopted_with_its_cut() -> None:
    state = resumed()
    state.receive(Surveyed((candidate(parts=(listed(PARTS[0]),), part_size=5),), ()))
    action = state.next()
    assert isinstance(action, Declare)
    assert isinstance(action.event, Opened)
    assert action.event.adopted
    state.receive(action.event)
    assert state.plan.part_size == 5
    assert state.next() == ListParts("1000000001")


@pytest.mark.parametrize("probe", ["differs", "unknown"])
def test_an_upload_whose_bytes_are_not_proven_ours_is_left_alone(probe: str) -> None:
    state = resumed()
    state.receive(Surveyed((candidate(parts=(listed(PARTS[0]),), probe=probe),), ()))
    action = state.next()
    assert isinstance(action, Declare)
    assert isinstance(action.event, Opening)


def test_of_several_the_one_with_most_bytes_is_adopted() -> None:
    state = resumed()
    few = candidate("1000000001", (listed(PARTS[0]),))
    many = candidate("1000000002", (listed(PARTS[0]), listed(PARTS[1])))
    state.receive(Surveyed((many, few), ()))
    action = state.next()
    assert isinstance(action, Declare)
    assert isinstance(action.event, Opened)
    assert action.event.upload_id == "1000000002"


def test_no_resume_passes_over_what_is_open_here_and_there() -> None:
    options = UploadOptions(resume=False, now=NOW)
    state = resumed(opening(), OPENED, options=options)
    assert state.next() == Survey(probe=True)
    state.receive(Surveyed((candidate(parts=(listed(PARTS[0]),)),), ()))
    action = state.next()
    assert isinstance(action, Declare)
    assert isinstance(action.event, Opening)
    assert action.event.attempt >= int(NOW)


def test_a_told_upload_is_adopted_even_without_parts() -> None:
    state = resumed(options=UploadOptions(upload_id="1000000001", now=NOW))
    state.receive(Surveyed((candidate(probe="unknown", part_size=None),), ()))
    action = state.next()
    assert isinstance(action, Declare)
    assert isinstance(action.event, Opened)


def test_a_told_upload_makes_no_second_read_set() -> None:
    there = replace(record("ACTIVE", 10), etag=ETAG)
    state = resumed(options=UploadOptions(upload_id="1000000001", now=NOW))
    surveyed(state, there, uploads=(candidate(),))
    assert state.next() == Prove("MD5up")
    state.receive(ours_in("MD5up"))
    found = declared(state)
    assert isinstance(found, Completed)
    assert found.read_set_id == there.read_set_id


def test_a_told_upload_passes_over_the_journals_own() -> None:
    told = UploadOptions(upload_id="1000000009", now=NOW)
    assert resumed(opening(), OPENED, options=told).next() == Survey(probe=True)
    same = UploadOptions(upload_id="1000000001", now=NOW)
    assert resumed(opening(), OPENED, options=same).next() == ListParts("1000000001")


def test_but_not_over_a_complete_that_may_still_work() -> None:
    told = UploadOptions(upload_id="1000000009", now=NOW)
    state = resumed(opening(), OPENED, Completing(), options=told)
    there = candidate("1000000009", (listed(PARTS[0]),))
    # As long as one of its own that is slow: what is told is completed beside it.
    assert looked_in_vain(state, uploads=(there,)) >= told.slow_patience_s
    assert declared(state) == NothingCame()
    surveyed(state, uploads=(there,))
    adopted = declared(state)
    assert isinstance(adopted, Opened)
    assert adopted.upload_id == "1000000009"


def test_a_told_upload_that_is_not_there_is_refused() -> None:
    state = resumed(options=UploadOptions(upload_id="1000000009", now=NOW))
    state.receive(Surveyed((candidate(),), ()))
    with pytest.raises(ServiceRefused, match="not open"):
        state.next()


def test_a_told_upload_of_other_bytes_is_an_integrity_error() -> None:
    state = resumed(options=UploadOptions(upload_id="1000000001", now=NOW))
    state.receive(Surveyed((candidate(probe="differs"),), ()))
    with pytest.raises(IntegrityError, match="not of these files"):
        state.next()


# --- read sets that are there -----------------------------------------------------------------


def take_for_now(state: Upload, there: ReadSetDetails) -> None:
    """A read set is recorded before it is judged, and asked for by its id."""
    found = declared(state)
    assert found == Completed(read_set_id=there.read_set_id, adopted=True, proof="none")
    state.receive(StatusSeen(there))


@pytest.mark.parametrize("force", [False, True])
def test_an_upload_that_is_named_does_not_pass_over_the_read_set_that_was_made(
    force: bool,
) -> None:
    """A listing that lags may not show it; whoever wants another one says so."""
    made = Completed(read_set_id="9000000001")
    options = UploadOptions(upload_id="1000000009", force=force, now=NOW)
    state = resumed(opening(), OPENED, Completing(), made, options=options)
    assert state.next() == (Survey(probe=True) if force else PollReadSet("9000000001"))


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("how", ["aborted", "--no-resume", "--upload-id"])
def test_a_whole_upload_that_is_left_may_be_a_read_set_by_now(how: str, whole: bool) -> None:
    """A run may have seen it, and have ended before that was recorded; a listing may be older."""
    there = [sent(part, "journal") for part in (PARTS if whole else PARTS[:2])]
    other = candidate("1000000002", ALL)
    options = UploadOptions(
        now=NOW,
        resume=how != "--no-resume",
        upload_id="1000000002" if how == "--upload-id" else None,
    )
    ended = [UploadGone(aborted=True)] if how == "aborted" else []
    few = [replace(each, checksum=None) for each in ALL[:2]]
    listed_still = () if whole or ended else (rival("1000000001", *few),)
    state = resumed(opening(), OPENED, *there, *ended, options=options)
    surveyed(state, uploads=(*listed_still, other) if how == "--upload-id" else listed_still)
    begun = declared(state)
    if isinstance(begun, Opening):
        state.receive(replace(OPENED, upload_id="1000000002"))
    send_all(state)
    waited = looked_in_vain(state, uploads=(*listed_still, other))
    assert waited >= 60 if whole else waited == 0
    assert declared(state) == Completing()


@pytest.mark.parametrize("upload_id", [None, "1000000003"])
@pytest.mark.parametrize(
    "events",
    [
        (opening(), OPENED),
        (opening(), OPENED, opening(attempt=1)),
        (opening(), OPENED, opening(attempt=1), opening(attempt=2)),
        (replace(opening(), known_uploads=(("1000000001", 10),)),),
        (replace(opening(), known_uploads=(("1000000001", 10),)), opening(attempt=1)),
        (opening(), replace(OPENED, upload_id="7", known_uploads=(("1000000001", 10),))),
    ],
)
def test_one_that_is_passed_over_and_not_listed_may_be_a_read_set_by_now(
    events: tuple[Event, ...], upload_id: str | None
) -> None:
    """Its run had completed it, and the journal was set back, or another host's did.

    Runs that were killed since may have been shown it for the last time.
    """
    options = UploadOptions(now=NOW, resume=upload_id is not None, upload_id=upload_id)
    third = candidate("1000000003", ALL[:1] if upload_id else ALL)
    state = resumed(*events, options=options)
    surveyed(state, uploads=(third,) if upload_id else ())
    if isinstance(declared(state), Opening):
        state.receive(replace(OPENED, upload_id="1000000003"))
    send_all(state)
    assert looked_in_vain(state, uploads=(third,)) >= 60
    assert declared(state) == Completing()


def test_a_read_set_that_was_made_since_ends_that_doubt() -> None:
    """What is uploaded once more, by `--force`, isn't waited for."""
    there = [sent(part, "journal") for part in PARTS]
    anew = replace(OPENED, upload_id="1000000002")
    made = Completed(read_set_id="9")
    gone = UploadGone(aborted=True)
    seen = replace(opening(), known_uploads=(("999999999", 10),))
    events: list[Event] = [OPENED, *there, gone, opening(), anew, Completing(), made]
    state = resumed(seen, *events, options=UploadOptions(force=True, now=NOW))
    surveyed(state, record("ACTIVE", 10))
    assert isinstance(declared(state), Opening)
    third = replace(OPENED, upload_id="1000000003")
    state.receive(third)
    send_all(state)
    assert looked_in_vain(state, uploads=(candidate("1000000003", probe="unknown"),)) == 0
    assert declared(state) == Completing()


def test_an_upload_that_is_whole_when_a_run_begins_is_looked_at_with_patience() -> None:
    """The journal may have been set back to before Complete was called."""
    state = resumed(opening(), OPENED, *[sent(part, "journal") for part in PARTS])
    state.receive(PartsListed(ALL))
    assert looked_in_vain(state, uploads=(OURS,)) >= 60
    assert declared(state) == Completing()


def test_a_read_set_that_was_in_the_way_is_known_to_the_next_run_whatever_is_listed_then() -> None:
    state = resumed(Completed(read_set_id="9000000001", adopted=True, proof="none"))
    assert state.next() == PollReadSet("9000000001")
    state.receive(StatusSeen(record("ACTIVE", 10)))
    with pytest.raises(ServiceRefused, match="nothing here proves"):
        state.next()


@pytest.mark.parametrize("file_type", [FileType.FASTQ, FileType.BAM])
def test_sizes_alone_make_no_read_set_ours(file_type: FileType) -> None:
    state = upload(10, file_type=file_type)
    state.replay([])
    there = replace(record("ACTIVE", 10), file_type=file_type)
    surveyed(state, there)
    take_for_now(state, there)
    with pytest.raises(ServiceRefused, match=r"nothing here proves.* no ETag to compare") as caught:
        state.next()
    assert ("sizes are those" in str(caught.value)) == (file_type is FileType.FASTQ)


def test_an_equal_etag_makes_it_ours() -> None:
    state = resumed()
    surveyed(state, replace(record("ACTIVE", 11), etag=ETAG))
    assert state.next() == Prove("MD5up")
    state.receive(ours_in("MD5up"))
    assert state.next() == Declare(Completed(read_set_id="9000000001", adopted=True, proof="etag"))


def test_a_read_set_of_other_sizes_is_in_the_way() -> None:
    state = resumed()
    there = record("ACTIVE", 11)
    state.receive(Surveyed((), (there,)))
    take_for_now(state, there)
    with pytest.raises(ServiceRefused, match="nothing here proves") as caught:
        state.next()
    assert "--force" in str(caught.value.hint)


@pytest.mark.parametrize("status", ["UPLOAD_FAILED", "DELETED", "DELETING"])
def test_a_read_set_that_is_gone_is_in_nobodys_way(status: str) -> None:
    state = resumed()
    state.receive(Surveyed((), (record(status),)))
    assert isinstance(state.next(), Declare)


def test_one_that_is_processing_must_prove_itself_when_it_is_active() -> None:
    state = resumed()
    state.receive(Surveyed((), (record("PROCESSING_UPLOAD"),)))
    action = state.next()
    assert isinstance(action, Declare)
    state.receive(action.event)
    assert state.next() == PollReadSet("9000000001")
    state.receive(StatusSeen(record("ACTIVE", 10)))
    with pytest.raises(ServiceRefused, match="nothing here proves"):
        state.next()
    other = resumed()
    other.receive(Surveyed((), (record("PROCESSING_UPLOAD"),)))
    other.receive(action.event)
    other.receive(StatusSeen(replace(record("ACTIVE", 10), etag=ETAG)))
    assert other.next() == Prove("MD5up")
    other.receive(ours_in("MD5up"))
    assert other.next() == Done()
    assert not other.unproven


def test_force_uploads_anew_although_the_read_set_is_there() -> None:
    options = UploadOptions(force=True, now=NOW)
    finished: list[Event] = [
        opening(),
        OPENED,
        *[sent(part, "journal") for part in PARTS],
        Completing(),
        Completed(read_set_id="9000000001"),
    ]
    state = resumed(*finished, options=options)
    state.receive(Surveyed((), (record("ACTIVE", 10),)))
    action = state.next()
    assert isinstance(action, Declare)
    assert isinstance(action.event, Opening)
    assert action.event.known_read_sets == ("9000000001",)


def test_force_makes_another_although_the_first_one_is_listed_late() -> None:
    forced = UploadOptions(force=True, now=NOW)
    done: list[Event] = [opening(), OPENED, Completing(), Completed(read_set_id="9000000001")]
    state = resumed(*done, options=forced)
    surveyed(state)
    begun = declared(state)
    assert isinstance(begun, Opening)
    # The same run, and one that goes on after a crash.
    for going_on in (state, resumed(*done, begun)):
        going_on.receive(Opened(upload_id="1000000002", adopted=False, part_size=4))
        going_on.receive(UploadGone())
        surveyed(going_on, record("ACTIVE"))
        assert isinstance(going_on.next(), Survey)


def test_force_leaves_the_upload_whose_read_set_is_still_processed() -> None:
    # It is listed, with all its parts, until its read set is ACTIVE.
    state = resumed(
        opening(),
        OPENED,
        *[sent(part, "journal") for part in PARTS],
        Completing(),
        Completed(read_set_id="9000000001"),
        options=UploadOptions(force=True, now=NOW),
    )
    lingering = candidate(parts=ALL)
    surveyed(state, record("PROCESSING_UPLOAD"), uploads=(lingering,))
    assert isinstance(declared(state), Opening)
    state.receive(Opened(upload_id="1000000002", adopted=False, part_size=4))
    state.receive(PartsListed(()))
    for part in PARTS:
        state.receive(sent(part))
    state.receive(PartsListed(ALL))
    ours = candidate("1000000002", ALL)
    surveyed(state, record("PROCESSING_UPLOAD"), uploads=(lingering, ours))
    assert declared(state) == Completing(), "nobody works on it, so there is nothing to wait for"


@pytest.mark.parametrize(
    ("opened", "made", "has", "status", "continued"),
    [
        pytest.param(5, 6, ALL, "PROCESSING_UPLOAD", False, id="it may be the read set"),
        pytest.param(5, 5, ALL, "PROCESSING_UPLOAD", False, id="times have whole seconds"),
        pytest.param(5, None, ALL, "PROCESSING_UPLOAD", False, id="one time is not told"),
        pytest.param(6, 5, ALL, "PROCESSING_UPLOAD", True, id="the read set was there before"),
        pytest.param(5, 6, ALL, "ACTIVE", True, id="it would not be listed any more"),
        pytest.param(5, 6, ALL[:1], "PROCESSING_UPLOAD", True, id="nobody can have completed it"),
    ],
)
def test_force_without_a_journal_leaves_an_upload_that_may_be_a_read_set(
    opened: int, made: int | None, has: tuple[UploadPart, ...], status: str, continued: bool
) -> None:
    state = resumed(options=UploadOptions(force=True, now=NOW))
    listed = candidate(parts=has)
    listed = replace(listed, upload=replace(listed.upload, created_at=_moment(opened)))
    there = replace(record(status), created_at=None if made is None else _moment(made))
    surveyed(state, there, uploads=(listed,))
    assert isinstance(declared(state), Opened if continued else Opening)


def _moment(second: int) -> datetime:
    return datetime(2026, 3, 4, 5, 6, second, tzinfo=UTC)


def test_nor_is_it_continued_where_it_is_named() -> None:
    state = resumed(
        opening(),
        OPENED,
        Completing(),
        Completed(read_set_id="9000000001"),
        options=UploadOptions(force=True, upload_id="1000000001", now=NOW),
    )
    surveyed(state, record("PROCESSING_UPLOAD"), uploads=(candidate(parts=ALL),))
    with pytest.raises(ServiceRefused, match="upload 1000000001 is not open"):
        state.next()


def _lingering(*, force: bool = False, resume: bool = True) -> Upload:
    """An upload that was adopted although a read set was being made of it, and completed again."""
    return resumed(
        opening(),
        Opened(upload_id="1000000001", adopted=True, part_size=4, known_read_sets=("9000000001",)),
        *[sent(part, "journal") for part in PARTS],
        Completing(),
        options=UploadOptions(now=NOW, force=force, resume=resume),
    )


def _look_until_it_is_believed(state: Upload, there: ReadSetDetails, *uploads: Candidate) -> None:
    while not state.patience.exhausted:
        surveyed(state, there, uploads=uploads)


@pytest.mark.parametrize("answer", [CompleteLost(gone=True), CompleteLost(refused=True)])
def test_an_upload_that_is_listed_because_a_known_read_set_is_processed(
    answer: CompleteLost,
) -> None:
    state = _lingering()
    state.receive(answer)
    _look_until_it_is_believed(state, record("PROCESSING_UPLOAD"), OURS)
    with pytest.raises(Stopped, match="perhaps it became read set 9000000001") as caught:
        state.next()
    hint = str(caught.value.hint)
    assert "again when read set 9000000001 is ACTIVE" in hint
    assert "--force --no-resume" in hint


def test_when_it_is_active_it_is_compared() -> None:
    state, active = _lingering(), replace(record("ACTIVE"), etag=ETAG)
    _look_until_it_is_believed(state, active)
    assert isinstance(declared(state), Opened)
    state.receive(UploadGone())
    _look_until_it_is_believed(state, active)
    assert declared(state) == NothingCame()
    surveyed(state, active)
    assert state.next() == Prove("MD5up")


def test_whoever_wants_another_one_at_once_gets_it() -> None:
    state = _lingering(force=True, resume=False)
    _look_until_it_is_believed(state, record("PROCESSING_UPLOAD"), OURS)
    assert declared(state) == NothingCame()
    surveyed(state, record("PROCESSING_UPLOAD"), uploads=(OURS,))
    assert isinstance(declared(state), Opening)


def test_an_upload_that_proves_to_be_a_read_set_is_not_the_one_that_force_asks_for() -> None:
    state = _lingering(force=True)
    state.receive(Completed(read_set_id="9000000001"))
    surveyed(state, record("ACTIVE"), uploads=(OURS,))
    begun = declared(state)
    assert isinstance(begun, Opening)
    assert "9000000001" in begun.known_read_sets
    state.receive(Opened(upload_id="1000000002", adopted=False, part_size=4))
    state.receive(Completing())
    # Of a service that always answers so, nothing more is asked.
    state.receive(Completed(read_set_id="9000000001"))
    assert state.next() == PollReadSet("9000000001")


def test_without_force_it_is_the_result() -> None:
    state = _lingering()
    state.receive(Completed(read_set_id="9000000001"))
    assert state.next() == PollReadSet("9000000001")


def test_force_goes_on_with_a_forced_upload_that_was_interrupted() -> None:
    state = resumed(opening(attempt=5), OPENED, options=UploadOptions(force=True, now=NOW))
    there = record("ACTIVE", 10)
    surveyed(state, there)  # what is there now is in nobody's way either: it was said again
    again = declared(state)
    assert isinstance(again, Opened)
    assert again.known_read_sets == (there.read_set_id,)
    assert state.next() == ListParts("1000000001")


def test_a_finished_upload_is_looked_at_again_and_not_sent() -> None:
    state = resumed(
        opening(),
        OPENED,
        *[sent(part, "journal") for part in PARTS],
        Completing(),
        Completed(read_set_id="9000000001"),
        StatusSeen(record("ACTIVE", 10)),
    )
    assert state.next() == PollReadSet("9000000001")
    state.receive(StatusSeen(record("ACTIVE", 10)))
    assert state.next() == Done()
    assert state.verified == "sha256"


def test_a_read_set_that_was_deleted_meanwhile_is_made_anew() -> None:
    state = resumed(opening(), OPENED, Completing(), Completed(read_set_id="9000000001"))
    state.receive(ReadSetGone())
    surveyed(state)
    assert isinstance(declared(state), Opening)


def test_a_read_set_that_is_listed_and_not_described_is_not_made_anew() -> None:
    state = resumed(opening(), OPENED, Completing(), Completed(read_set_id="9000000001"))
    state.receive(ReadSetGone())
    surveyed(state, record("ACTIVE"))
    with pytest.raises(Stopped, match="lists read set 9000000001"):
        state.next()


GONE = (opening(), OPENED, Completing(), Completed(read_set_id="9000000001"), ReadSetGone())


def test_a_read_set_that_was_denied_by_an_earlier_run_and_is_there_again_is_the_one() -> None:
    state = resumed(*GONE)
    surveyed(state, record("PROCESSING_UPLOAD"))
    assert declared(state) == Completed(read_set_id="9000000001", adopted=True, proof="none")
    state.receive(ReadSetGone())
    surveyed(state, record("PROCESSING_UPLOAD"))
    with pytest.raises(Stopped, match="lists read set 9000000001"):
        state.next()


def test_one_that_was_denied_by_an_earlier_run_and_is_only_listed_is_not_made_anew() -> None:
    state = resumed(*GONE)
    surveyed(state, replace(record("ACTIVE"), described=False))
    with pytest.raises(Stopped, match="lists read set 9000000001"):
        state.next()


# --- right before Complete --------------------------------------------------------------------


def all_there(
    *,
    known: tuple[str, ...] = (),
    file_type: str = "FASTQ",
    options: UploadOptions | None = None,
) -> Upload:
    """An upload whose parts are all sent, the last one by this run, before the last look."""
    *before, last = PARTS
    state = upload(10, file_type=FileType(file_type), options=options)
    state.replay([opening(known=known), OPENED, *[sent(part, "journal") for part in before]])
    state.receive(PartsListed(ALL[:-1]))
    state.receive(sent(last))
    state.receive(PartsListed(ALL))
    return state


def test_it_is_looked_once_more_before_complete() -> None:
    state = all_there(known=("9000000007",))
    old = record("ACTIVE", 10, read_set_id="9000000007")
    assert surveyed(state, old, uploads=(OURS,)) == 0
    assert declared(state) == Completing()
    assert isinstance(state.next(), Complete)


def test_an_upload_of_two_cuts_that_became_whole_is_waited_for() -> None:
    """It has as many parts as when it was left, but two hosts have replaced each other's."""
    mixed = candidate("1000000000", (ALL[0], replace(ALL[1], size=3)), part_size=None)
    state = resumed()
    surveyed(state, uploads=(mixed,))
    begun = declared(state)
    assert isinstance(begun, Opening)
    state.receive(OPENED)
    state.receive(PartsListed(()))
    for part in PARTS:
        state.receive(sent(part))
    state.receive(PartsListed(ALL))
    whole = candidate("1000000000", (_half(1, 5), _half(2, 5)), part_size=5)
    surveyed(state, uploads=(whole, OURS))
    assert state.leaves_way
    assert isinstance(declared(state), Opened), "the older one is completed"


def test_two_that_wait_for_an_upload_which_nobody_can_adopt_complete_the_same_one() -> None:
    cut = candidate("999999999", (replace(ALL[0], size=3),), part_size=None)
    older = candidate("1000000000", ALL)
    state = all_there()
    surveyed(state, uploads=(cut, older, OURS))
    adopted = declared(state)
    assert isinstance(adopted, Opened)
    assert adopted.upload_id == "1000000000"


def _half(number: int, size: int) -> UploadPart:
    return listed(Part(PartSource.SOURCE1, number, (number - 1) * size, size))


def test_a_listing_that_does_not_show_our_own_upload_yet_is_waited_for() -> None:
    state = all_there()
    surveyed(state)
    assert surveyed(state, uploads=(OURS,)) > 0
    assert declared(state) == Completing()
    never = all_there()
    assert looked_in_vain(never) >= 60
    assert declared(never) == Completing()


def test_a_read_set_that_came_meanwhile_is_not_made_again() -> None:
    state = all_there()
    surveyed(state, record("PROCESSING_UPLOAD"), uploads=(OURS,))
    found = declared(state)
    assert found == Completed(read_set_id="9000000001", adopted=True, proof="none")
    state.receive(StatusSeen(record("ACTIVE", 10)))
    with pytest.raises(ServiceRefused, match="nothing here proves"):
        state.next()  # no ETag: that it holds these files isn't known, and is not said


def rival(upload_id: str, *parts: UploadPart) -> Candidate:
    return candidate(upload_id, parts, probe="unknown")


def test_of_two_uploads_with_the_same_parts_the_smaller_id_goes_on_after_a_while() -> None:
    state = all_there()
    uploads = (OURS, rival("1000000002", *ALL))
    assert looked_in_vain(state, uploads=uploads) >= 60
    assert declared(state) == Completing()


@pytest.mark.parametrize("text", [None, "opaque", checksum(PARTS[0])])
def test_and_the_other_leaves_it_the_way(text: str | None) -> None:
    """Also where the listing's checksums don't tell whether they are the same."""
    state = all_there()
    uploads = (OURS, rival("999999999", replace(ALL[0], checksum=text)))
    for _ in range(20):
        surveyed(state, uploads=uploads)
    surveyed(state, record("PROCESSING_UPLOAD"), uploads=(OURS,))
    found = declared(state)
    assert isinstance(found, Completed)
    assert found.proof == "none"


def test_also_where_the_services_checksums_are_no_sha256() -> None:
    """A look into the other upload can't compare them then, and takes them for other bytes."""
    foreign = [replace(row, checksum=checksum(PARTS[0])) for row in ALL]
    state = upload(10)
    state.replay([opening(), OPENED])
    state.receive(PartsListed(()))
    while not state.ledger.ready:
        work = state.ledger.take()
        if isinstance(work, SendPart):
            row = foreign[work.part.number - 1]
            text = checksum(replace(work.part, offset=work.part.offset + 1))
            foreign[work.part.number - 1] = replace(row, checksum=text)
            state.receive(replace(sent(work.part), checksum=text))
        else:
            state.receive(PartsListed(tuple(foreign)))
    other = candidate("999999999", tuple(foreign), probe="differs")
    for _ in range(20):
        surveyed(state, uploads=(OURS, other))


@pytest.mark.parametrize(
    "looks",
    [
        ((OURS, candidate("999999999", probe="gone", part_size=None)),),
        ((rival("999999999"),), (OURS,)),
    ],
)
def test_an_upload_that_is_gone_when_it_is_asked_may_be_a_read_set_by_now(
    looks: tuple[tuple[Candidate, ...], ...],
) -> None:
    """It was listed with our metadata, and a listing of read sets may not show it yet."""
    state = all_there()
    for uploads in looks:
        surveyed(state, uploads=uploads)
    assert looked_in_vain(state, uploads=looks[-1]) >= 60
    assert declared(state) == Completing()


def test_one_that_could_not_be_compared_before_is_told_by_its_strings() -> None:
    state = resumed()
    left = rival("999999999", *ALL)
    surveyed(state, uploads=(left,))
    declared(state)
    state.receive(OPENED)
    send_all(state)
    for _ in range(20):
        surveyed(state, uploads=(OURS, left))


def test_it_leaves_the_way_for_as_long_as_something_comes_of_it() -> None:
    state = all_there()
    waited = 0.0
    for count in (1, 2, 3):
        for _ in range(50):
            waited += surveyed(state, uploads=(OURS, rival("999999999", *ALL[:count])))
    assert waited > 1500
    assert looked_in_vain(state, uploads=(OURS, rival("999999999", *ALL))) < 900
    assert declared(state) == Completing()


def test_an_older_upload_that_has_the_same_parts_is_completed_instead() -> None:
    """Two that wait for each other may both stop at the same moment; one upload is one read set."""
    state = all_there()
    surveyed(state, uploads=(OURS, candidate("999999999", ALL)))
    taken = declared(state)
    assert isinstance(taken, Opened)
    assert (taken.upload_id, taken.adopted) == ("999999999", True)
    assert state.next() == ListParts("999999999")
    assert not state.ledger.all_proven  # its parts are compared first, each of them


def test_an_older_upload_to_which_more_may_come_is_taken_over_once_nothing_does() -> None:
    state = all_there()
    uploads = (OURS, candidate("999999999", ALL[:1]))
    assert looked_in_vain(state, uploads=uploads) >= 900
    taken = declared(state)
    assert isinstance(taken, Opened)
    assert taken.upload_id == "999999999"


def test_no_other_upload_is_completed_than_the_one_that_was_told() -> None:
    state = all_there(options=UploadOptions(upload_id="1000000001"))
    assert looked_in_vain(state, uploads=(OURS, candidate("999999999", ALL))) >= 900
    assert declared(state) == Completing()


def test_nor_is_one_gone_on_with_that_was_to_be_left_alone() -> None:
    state = upload(10, options=UploadOptions(resume=False, now=NOW))
    state.replay([])
    surveyed(state)
    assert isinstance(declared(state), Opening)
    state.receive(OPENED)
    send_all(state)
    assert looked_in_vain(state, uploads=(OURS, candidate("999999999", ALL))) >= 900
    assert declared(state) == Completing()


@pytest.mark.parametrize("whole", [True, False])
def test_one_that_was_left_for_a_part_that_was_cut_short_may_be_completed_slowly(
    whole: bool,
) -> None:
    """Nothing of it can be compared, and it has the size of our files: a Complete may be on."""
    parts = tuple(replace(each, checksum=None) for each in (ALL if whole else ALL[:2]))
    state = resumed(options=UploadOptions(now=NOW))
    surveyed(state, uploads=(candidate("999999999", ALL),))
    assert isinstance(declared(state), Opened)
    state.receive(Disowned("999999999"))
    surveyed(state, uploads=(rival("999999999", *parts),))
    assert isinstance(declared(state), Opening)
    state.receive(OPENED)
    send_all(state)
    waited = looked_in_vain(state, uploads=(OURS, rival("999999999", *parts)))
    assert waited >= 900 if whole else waited == 0
    assert declared(state) == Completing()


def test_one_that_stays_empty_does_not_keep_two_hosts_from_completing_the_same_upload() -> None:
    """Somebody died after Create, and each of two hosts waits for that upload, to the end."""
    empty, older = rival("999999998"), candidate("999999999", ALL)
    one, other = all_there(), all_there()
    looked_in_vain(one, uploads=(OURS, empty, older))
    taken = declared(one)
    assert isinstance(taken, Opened)
    assert taken.upload_id == "999999999"
    looked_in_vain(other, uploads=(OURS, empty, candidate("1000000002", ALL)))
    assert declared(other) == Completing()


def test_one_whose_parts_may_be_listed_later_is_left_the_way() -> None:
    state = all_there()
    assert surveyed(state, uploads=(OURS, rival("999999999"))) == 0
    assert state.waits_for_others
    assert looked_in_vain(state, uploads=(OURS, rival("999999999"))) > 60


def test_one_that_went_away_may_be_a_read_set_by_now() -> None:
    state = all_there()
    surveyed(state, uploads=(OURS, rival("999999999", *ALL)))
    assert looked_in_vain(state, uploads=(OURS,)) >= 60
    assert declared(state) == Completing()


@pytest.mark.parametrize(
    "parts",
    [
        (replace(ALL[0], checksum=checksum(PARTS[1])),),
        (replace(ALL[0], size=3),),
        (ALL[0], replace(ALL[1], checksum=checksum(PARTS[0]))),
    ],
)
def test_an_upload_with_other_parts_is_in_nobodys_way(parts: tuple[UploadPart, ...]) -> None:
    state = all_there()
    surveyed(state, uploads=(OURS, rival("999999999", *parts)))
    assert declared(state) == Completing()


@pytest.mark.parametrize("parts", [ALL[:2], ALL, ()])
def test_what_an_earlier_run_left_open_is_waited_for_only_where_it_may_be_completed(
    parts: tuple[UploadPart, ...],
) -> None:
    state = upload(10, options=UploadOptions(resume=False, now=NOW))
    state.replay([])
    left = rival("999999999", *parts)
    surveyed(state, uploads=(left,))
    opened = declared(state)
    assert isinstance(opened, Opening)
    assert opened.known_uploads == (("999999999", left.size),)
    state.receive(OPENED)
    send_all(state)
    surveyed(state, uploads=(OURS, left))
    looks = 0
    while isinstance(state.next(), Survey):
        looks += 1
        surveyed(state, uploads=(OURS, left))
    assert declared(state) == Completing()
    assert (looks > 0) is (len(parts) != 2)


@pytest.mark.parametrize("uploads", [(OURS,), (OURS, rival("999999999", *ALL))])
def test_one_that_was_there_before_and_has_moved_or_gone_since_is_waited_for(
    uploads: tuple[Candidate, ...],
) -> None:
    state = upload(10)
    state.replay([])
    surveyed(state, uploads=(rival("999999999", *ALL[:1]),))
    declared(state)
    state.receive(OPENED)
    send_all(state)
    assert looked_in_vain(state, uploads=uploads) >= 60
    assert declared(state) == Completing()


def test_an_adopted_upload_that_had_all_its_parts_may_be_completed_by_somebody() -> None:
    state = resumed()
    surveyed(state, uploads=(candidate(parts=ALL),))
    declared(state)
    state.receive(PartsListed(ALL))
    for part in PARTS:
        state.receive(sent(part, "checked"))
    assert looked_in_vain(state, uploads=(candidate(parts=ALL),)) >= 60
    assert declared(state) == Completing()


# --- parts of others --------------------------------------------------------------------------


def test_parts_of_others_are_compared_before_anything_is_sent() -> None:
    state = resumed()
    surveyed(state, uploads=(candidate(parts=ALL[:2]),))
    declared(state)
    state.receive(PartsListed(ALL[:2]))
    assert state.next() == SendParts("1000000001", compare_only=True)
    assert state.ledger.take(compare_only=True) == CheckPart(PARTS[0])
    assert state.ledger.take(compare_only=True) == CheckPart(PARTS[1])
    assert state.ledger.take(compare_only=True) is None
    for part in PARTS[:2]:
        state.receive(sent(part, "checked"))
    assert state.next() == SendParts("1000000001")
    state.ledger.rewind()
    assert state.ledger.take() == SendPart(PARTS[2])


def disowned_for(state: Upload, other: UploadPart) -> None:
    """Lists the upload, reads what it has from the files, and finds a part that is of others."""
    assert state.next() == ListParts("1000000001")
    state.receive(PartsListed((ALL[0], other)))
    while isinstance(state.next(), SendParts):
        assert state.next() == SendParts("1000000001", compare_only=True)
        work = state.ledger.take(compare_only=True)
        assert isinstance(work, CheckPart)
        text = state.ledger.confirmed(work.part, digest(work.part))
        state.receive(
            PartSeen(part=work.part, digest=digest(work.part), checksum=text, origin="checked")
        )
    assert declared(state) == Disowned("1000000001")


_EDITED = replace(ALL[1], checksum=checksum(PARTS[2]))
_LONGER, _SHORTER = replace(ALL[1], size=5), replace(ALL[1], size=3)


@pytest.mark.parametrize(
    ("other", "ours"),
    [(_EDITED, False), (_LONGER, False), (_SHORTER, False), (_EDITED, True), (_LONGER, True)],
)
def test_an_upload_with_a_part_of_other_files_is_left_untouched(
    other: UploadPart, ours: bool
) -> None:
    """Also where our token brought it: another host's edited copy may have the same token."""
    state = resumed(opening(), OPENED) if ours else resumed()
    if not ours:
        surveyed(state, uploads=(candidate(parts=(ALL[0], other)),))
        declared(state)
    disowned_for(state, other)
    surveyed(state, uploads=(candidate(parts=(ALL[0], other)),))
    begun = declared(state)
    assert isinstance(begun, Opening)
    assert begun.known_uploads == (("1000000001", ALL[0].size + other.size),)
    assert begun.token != "t"


@pytest.mark.parametrize(("other", "listed_still"), [(_SHORTER, False), (_EDITED, True)])
def test_one_that_is_left_and_was_never_listed_may_be_a_read_set_by_now(
    other: UploadPart, listed_still: bool
) -> None:
    """The token brought it, and another host, which had sent that part, may have completed it."""
    state = resumed()
    surveyed(state)
    assert isinstance(declared(state), Opening)
    state.receive(OPENED)
    disowned_for(state, other)
    surveyed(state)
    assert isinstance(declared(state), Opening)
    state.receive(replace(OPENED, upload_id="1000000002"))
    send_all(state)
    there = (candidate("1000000001", (ALL[0], other)),) if listed_still else ()
    waited = looked_in_vain(state, uploads=(candidate("1000000002", ALL), *there))
    assert waited == 0 if listed_still else waited >= 60
    assert declared(state) == Completing()


@pytest.mark.parametrize("adopted", [True, False])
def test_what_replaced_our_parts_is_left_in_an_upload_that_was_found(adopted: bool) -> None:
    """Another host's edited copy goes on in it; in our own its part is sent again."""
    identity = source().files[0].identity
    found = replace(OPENED, adopted=adopted, identities=(identity,) if adopted else ())
    state = resumed(opening(), found, *[sent(part, "journal") for part in PARTS])
    state.receive(PartsListed((ALL[0], _EDITED, ALL[2])))
    if adopted:
        assert declared(state) == Disowned("1000000001")
    else:
        assert state.next() == SendParts("1000000001")
        assert state.ledger.take() == SendPart(PARTS[1])


def test_beside_an_upload_of_other_files_the_first_token_is_asked_for() -> None:
    """Another host may have made the read set with it, and the listing may not show it yet."""
    state = resumed(options=UploadOptions(now=NOW))
    others = candidate(parts=(ALL[0], _EDITED))
    surveyed(state, uploads=(others,))
    assert isinstance(declared(state), Opened)
    disowned_for(state, _EDITED)
    surveyed(state, uploads=(others,))
    begun = declared(state)
    assert isinstance(begun, Opening)
    alone = resumed()
    surveyed(alone)
    first = declared(alone)
    assert isinstance(first, Opening)
    assert (begun.attempt, begun.token) == (0, first.token)
    # It brings that very upload: another host's edited copy went on with ours.
    state.receive(OPENED)
    disowned_for(state, _EDITED)
    surveyed(state, uploads=(others,))
    anew = declared(state)
    assert isinstance(anew, Opening)
    assert anew.attempt >= int(NOW)


@pytest.mark.parametrize("grain", [1, cuts.GRAIN])
def test_a_part_that_was_cut_short_as_an_earlier_run_ended_is_sent_again(
    monkeypatch: pytest.MonkeyPatch, grain: int
) -> None:
    """Only this journal's runs have sent anything, and the reply was not recorded any more.

    That holds as well where it has the size of a smaller cut: ours would replace its parts.
    """
    monkeypatch.setattr(cuts, "GRAIN", grain)
    state = resumed(opening(), OPENED, sent(PARTS[0], "journal"))
    state.receive(PartsListed((ALL[0], _SHORTER)))
    assert state.next() == SendParts("1000000001")
    assert [state.ledger.take(), state.ledger.take()] == [SendPart(PARTS[1]), SendPart(PARTS[2])]


def test_a_part_of_ours_that_arrived_wrong_is_sent_again_in_the_same_upload() -> None:
    state = resumed(opening(), OPENED, sent(PARTS[0], "journal"))
    state.receive(PartsListed((replace(ALL[0], size=3),)))
    assert state.next() == SendParts("1000000001")
    assert state.ledger.take() == SendPart(PARTS[0])


def test_a_told_upload_with_a_part_of_other_files_is_an_error() -> None:
    state = resumed(options=UploadOptions(upload_id="1000000001", now=NOW))
    parts = (ALL[0], replace(ALL[1], size=3))
    surveyed(state, uploads=(candidate(parts=parts),))
    declared(state)
    state.receive(PartsListed(parts))
    with pytest.raises(IntegrityError, match="not of these files"):
        state.next()


# --- Create, and what it leaves open ----------------------------------------------------------


def test_a_create_that_is_not_answered_is_looked_for_and_made_again() -> None:
    state = resumed(opening())
    state.receive(CreateUnclear(token_used=False))
    surveyed(state)
    assert state.next() == Create("t")
    state.receive(CreateUnclear(token_used=False))
    surveyed(state, uploads=(candidate("1000000003", probe="unknown", part_size=None),))
    opened = declared(state)
    assert isinstance(opened, Opened)
    assert opened.upload_id == "1000000003"


def test_a_read_set_that_came_meanwhile_may_be_that_of_the_upload_that_is_found() -> None:
    state = resumed(opening())
    state.receive(CreateUnclear(token_used=False))
    surveyed(state, record("PROCESSING_UPLOAD"), uploads=(candidate("1000000003", ALL),))
    opened = declared(state)
    assert isinstance(opened, Opened)
    assert "9000000001" not in opened.known_read_sets


def test_a_token_that_is_refused_leads_to_the_upload_that_it_made() -> None:
    state = resumed(opening())
    state.receive(CreateUnclear(token_used=True))
    surveyed(state)
    surveyed(state, uploads=(candidate("1000000003", probe="unknown", part_size=None),))
    opened = declared(state)
    assert isinstance(opened, Opened)
    assert opened.upload_id == "1000000003"


@pytest.mark.parametrize("resume", [True, False])
def test_also_to_one_that_another_host_had_left_without_parts(resume: bool) -> None:
    """It was listed before, and only the token tells whose it is; so this is the last way."""
    empty = candidate("1000000003", probe="unknown", part_size=None)
    attempt = replace(opening(), known_uploads=(("1000000003", 0),))
    state = upload(10, options=UploadOptions(resume=resume, now=NOW))
    state.replay([])
    state.receive(attempt)
    state.receive(CreateUnclear(token_used=True))
    assert looked_in_vain(state, uploads=(empty,)) >= 60
    if resume:
        opened = declared(state)
        assert isinstance(opened, Opened)
        assert opened.upload_id == "1000000003"
    else:
        assert declared(state) == NothingCame()


def test_where_that_is_of_other_files_the_read_set_is_waited_for_all_the_same() -> None:
    """What the token made may be completed already, while no listing shows its read set."""
    others = candidate("1000000003", (ALL[0], _EDITED))
    state = resumed(opening())
    state.receive(CreateUnclear(token_used=True))
    surveyed(state)
    surveyed(state, uploads=(others,))
    assert isinstance(declared(state), Opened)
    state.receive(Disowned("1000000003"))
    surveyed(state, uploads=(others,))
    assert isinstance(declared(state), Opening)
    state.receive(OPENED)
    send_all(state)
    assert looked_in_vain(state, uploads=(OURS, others)) >= 60
    assert declared(state) == Completing()


def test_or_to_the_read_set_that_came_of_it() -> None:
    state = resumed(opening())
    state.receive(CreateUnclear(token_used=True))
    surveyed(state, record("PROCESSING_UPLOAD"))
    found = declared(state)
    assert found == Completed(read_set_id="9000000001", adopted=True, proof="none")


def test_or_to_a_new_token() -> None:
    state = resumed(opening())
    state.receive(CreateUnclear(token_used=True))
    assert looked_in_vain(state) >= 60
    assert begun_anew(state).attempt == 1


def test_a_token_brings_back_an_upload_that_ended_and_its_read_set_is_looked_for() -> None:
    """The service knows tokens for longer than an upload is open, and its listings lag."""
    state = resumed(opening(), OPENED)
    assert state.next() == ListParts("1000000001")
    state.receive(UploadGone())
    surveyed(state)
    surveyed(state)
    surveyed(state, record("PROCESSING_UPLOAD"))
    found = declared(state)
    assert found == Completed(read_set_id="9000000001", adopted=True, proof="none")


def test_an_upload_that_is_not_known_at_once_is_gone_on_with() -> None:
    state = resumed(opening(), OPENED)
    state.receive(UploadGone())
    surveyed(state)
    surveyed(state, uploads=(OURS,))
    assert isinstance(declared(state), Opened)
    state.receive(PartsListed(()))
    assert state.next() == SendParts("1000000001")


def test_a_service_that_opens_what_it_does_not_know_does_not_keep_us_busy() -> None:
    state = resumed(opening(), OPENED)
    with pytest.raises(Stopped, match="second time"):
        answered_without_end(state)


def answered_without_end(state: Upload) -> None:
    for _ in range(1000):
        match state.next():
            case Survey():
                state.receive(Surveyed((candidate(parts=()),), ()))
            case Declare(event):
                state.receive(event)
            case Create():
                state.receive(Opened(upload_id="1000000001", adopted=False, part_size=4))
            case ListParts():
                state.receive(UploadGone())
            case action:
                pytest.fail(str(action))


# --- the lost reply to Complete ---------------------------------------------------------------


def completing(known: tuple[str, ...] = (), file_type: str = "FASTQ", **more: Any) -> Upload:
    state = upload(10, file_type=FileType(file_type), **more)
    state.replay(
        [opening(known=known), OPENED, *[sent(part, "journal") for part in PARTS], Completing()]
    )
    return state


def test_the_one_new_read_set_is_ours() -> None:
    state = completing(known=("9000000007",))
    surveyed(state, record("ACTIVE", 10, read_set_id="9000000007"), record("PROCESSING_UPLOAD"))
    assert state.next() == Declare(
        Completed(read_set_id="9000000001", adopted=True, proof="journal")
    )


@pytest.mark.parametrize("file_type", ["BAM", "CRAM", "UBAM", "FASTQ"])
def test_whatever_its_stored_size(file_type: str) -> None:
    state = completing(file_type=file_type)
    surveyed(state, replace(record("ACTIVE", 1234), file_type=file_type))
    found = declared(state)
    assert isinstance(found, Completed)
    state.receive(StatusSeen(replace(record("ACTIVE", 1234), file_type=file_type)))
    assert state.next() == Done()
    assert state.assumed


@pytest.mark.parametrize(
    "options", [UploadOptions(now=NOW, force=True), UploadOptions(now=NOW, resume=False)]
)
def test_whatever_was_asked_nothing_is_begun_anew_while_it_is_there(options: UploadOptions) -> None:
    state = completing(options=options)
    surveyed(state)
    surveyed(state, record("PROCESSING_UPLOAD"))
    assert isinstance(declared(state), Completed)


def test_a_read_set_is_looked_for_before_complete_is_called_again() -> None:
    state = completing()
    assert looked_in_vain(state, uploads=(OURS,)) >= 60
    assert isinstance(declared(state), Opened)
    assert state.phase is Phase.OPEN
    assert state.next() == ListParts("1000000001")
    state.receive(PartsListed(ALL))
    surveyed(state, uploads=(OURS,))
    assert declared(state) == Completing()
    assert isinstance(state.next(), Complete)


def test_and_for_longer_where_the_service_may_be_at_work() -> None:
    state = completing()
    state.receive(CompleteLost(slow=True))
    assert looked_in_vain(state, uploads=(OURS,)) >= 300


def test_one_that_shows_up_in_the_very_last_look_is_ours_too() -> None:
    state = completing()
    looked_in_vain(state, uploads=(OURS,))
    declared(state)
    state.receive(PartsListed(ALL))
    surveyed(state, record("PROCESSING_UPLOAD"), uploads=(OURS,))
    assert declared(state) == Completed(read_set_id="9000000001", adopted=True, proof="fresh")


def fresh(*sizes: int, status: str = "ACTIVE", etag: Any = None) -> Upload:
    """A read set came after a lost Complete, while our upload is still listed."""
    state = completing()
    surveyed(state, record("PROCESSING_UPLOAD"), uploads=(OURS,))
    found = declared(state)
    assert found == Completed(read_set_id="9000000001", adopted=True, proof="fresh")
    state.receive(StatusSeen(replace(record(status, *sizes), etag=etag)))
    return state


def test_an_upload_is_listed_while_its_read_set_is_processed_and_not_after() -> None:
    state = fresh(10)
    surveyed(state, uploads=(OURS,))  # a listing may lag
    surveyed(state)
    assert declared(state) == Completed(read_set_id="9000000001", adopted=True, proof="journal")
    state.receive(StatusSeen(record("ACTIVE", 10)))
    assert state.next() == Done()


def test_a_read_set_beside_an_upload_that_stays_open_is_not_ours_without_proof() -> None:
    state = fresh(10)
    assert looked_in_vain(state, uploads=(OURS,)) >= 60
    assert state.next() == ListParts("1000000001")
    state.receive(PartsListed(ALL))
    with pytest.raises(ServiceRefused, match="nothing here proves"):
        state.next()
    proven = fresh(10, etag=ETAG)
    looked_in_vain(proven, uploads=(OURS,))
    proven.receive(PartsListed(ALL))
    assert proven.next() == Prove("MD5up")
    proven.receive(ours_in("MD5up"))
    assert proven.next() == Done()


def test_an_upload_that_is_listed_for_ever_is_asked_itself_whether_it_is_open() -> None:
    state = fresh(10)
    looked_in_vain(state, uploads=(OURS,))
    assert state.next() == ListParts("1000000001")
    state.receive(UploadGone())
    assert declared(state) == Completed(read_set_id="9000000001", adopted=True, proof="journal")


def test_one_that_failed_beside_an_upload_that_stays_open_does_not_block_it() -> None:
    state = fresh(status="UPLOAD_FAILED")
    looked_in_vain(state, uploads=(OURS,))
    state.receive(PartsListed(ALL))
    assert isinstance(declared(state), Opened)
    state.receive(PartsListed(ALL))
    surveyed(state, record("UPLOAD_FAILED"), uploads=(OURS,))
    assert declared(state) == Completing()


def test_one_that_failed_and_whose_upload_is_gone_is_ours() -> None:
    state = fresh(status="UPLOAD_FAILED")
    surveyed(state)
    declared(state)
    state.receive(StatusSeen(record("UPLOAD_FAILED")))
    assert state.next() == Done()
    assert state.phase is Phase.FAILED


def test_an_upload_that_expired_at_complete_is_begun_anew_once_that_is_certain() -> None:
    state = completing()
    state.receive(CompleteLost(gone=True))
    assert looked_in_vain(state) >= 60
    assert isinstance(declared(state), Opened)
    state.receive(UploadGone())
    looked_in_vain(state)
    assert begun_anew(state).attempt == 1


def test_one_that_is_listed_for_ever_is_asked_itself() -> None:
    state = completing()
    looked_in_vain(state, uploads=(OURS,))
    assert isinstance(declared(state), Opened)
    state.receive(UploadGone())
    looked_in_vain(state, uploads=(OURS,))
    assert begun_anew(state, OURS).attempt == 1


def test_no_resume_begins_anew_after_a_complete_that_was_refused_for_good() -> None:
    state = completing(options=UploadOptions(now=NOW, resume=False))
    assert looked_in_vain(state, uploads=(OURS,)) >= 60
    assert begun_anew(state, OURS).known_uploads == (("1000000001", 0),)


def test_a_touched_file_does_not_hide_the_read_set_that_its_lost_complete_made() -> None:
    state = completing(mtime_ns=2)
    surveyed(state, record("PROCESSING_UPLOAD"), uploads=(OURS,))
    assert declared(state) == Completed(read_set_id="9000000001", adopted=True, proof="fresh")


def test_an_upload_that_complete_says_is_gone_is_not_taken_for_open() -> None:
    state = completing()
    state.receive(CompleteLost(gone=True))
    surveyed(state, record("PROCESSING_UPLOAD"), uploads=(OURS,))
    assert state.next() == Declare(
        Completed(read_set_id="9000000001", adopted=True, proof="journal")
    )


def test_a_new_read_set_of_other_metadata_is_not_taken() -> None:
    state = completing()
    looked_in_vain(state, replace(record("ACTIVE", 10), description="another"))
    assert isinstance(declared(state), Opened)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"description": "another"}, "it has the description 'another'"),
        ({"generated_from": "another"}, "it has the origin"),
        ({"reference_arn": "arn:another"}, "it has the reference 'arn:another'"),
        ({"file_type": "BAM"}, "its type is 'BAM', not 'FASTQ'"),
        ({"creation_type": "IMPORT"}, "was not made by an upload"),
    ],
)
def test_a_read_set_of_our_name_with_other_metadata_is_in_the_way(
    change: dict[str, Any], words: str
) -> None:
    state = resumed()
    state.receive(Surveyed((), (replace(record("ACTIVE", 10), **change),)))
    with pytest.raises(ServiceRefused, match=words):
        state.next()


def test_of_two_new_read_sets_the_etags_tell_which_is_ours() -> None:
    state = completing()
    other = replace(record("ACTIVE", 10), etag=replace(ETAG, source1="cc" * 16))
    ours = replace(record("ACTIVE", 10, read_set_id="9000000002"), etag=ETAG)
    surveyed(state, other, ours)
    assert state.next() == Prove("MD5up")
    state.receive(ours_in("MD5up"))
    found = declared(state)
    assert isinstance(found, Completed)
    assert found.read_set_id == "9000000002"


def test_two_new_read_sets_without_one_are_ambiguous_until_they_are_finished() -> None:
    state = completing()
    one, two = record("ACTIVE", 10), record("PROCESSING_UPLOAD", 10, read_set_id="9000000002")
    surveyed(state, one, two)
    with pytest.raises(Stopped, match=r"9000000001 \(ACTIVE\), 9000000002 \(PROCESSING_UPLOAD\)"):
        state.next()
    state = completing()
    surveyed(state, one, replace(two, status="ACTIVE"))
    found = declared(state)
    assert isinstance(found, Completed)
    assert (found.read_set_id, found.proof) == ("9000000001", "none")
    state.receive(StatusSeen(one))
    with pytest.raises(ServiceRefused, match="it has no ETag to compare"):
        state.next()


def test_of_several_new_read_sets_the_one_that_did_not_fail_is_in_the_way() -> None:
    state = completing()
    failed = record("UPLOAD_FAILED", 10)
    surveyed(state, failed, record("ACTIVE", 10, read_set_id="9000000002"))
    found = declared(state)
    assert isinstance(found, Completed)
    assert (found.read_set_id, found.proof) == ("9000000002", "none")


def test_of_several_that_failed_none_is_in_the_way_in_the_end() -> None:
    state = completing()
    failed = record("UPLOAD_FAILED", 10)
    while True:
        surveyed(state, failed, replace(failed, read_set_id="9000000002"))
        if not isinstance(state.next(), Survey):
            break
    declared(state)
    state.receive(StatusSeen(failed))
    assert state.phase is Phase.PLANNED


FOUND = Completed(read_set_id="9000000001", adopted=True, proof="none")


@pytest.mark.parametrize(
    ("rows", "phase"),
    [
        # Between them came what is not recorded: an unclear Create, or a read set that is gone.
        ((opening(), FOUND), Phase.PROCESSING),
        ((opening(), OPENED, Completing(), FOUND, FOUND), Phase.PROCESSING),
        ((opening(), OPENED, Completing(), FOUND, replace(OPENED, adopted=True)), Phase.OPEN),
    ],
)
def test_rows_that_were_written_are_taken_in_again(rows: tuple[Event, ...], phase: Phase) -> None:
    assert resumed(*rows).phase is phase


def test_a_read_set_that_came_while_ours_was_listed_is_to_be_confirmed() -> None:
    assert resumed(opening(), OPENED, Completing(), replace(FOUND, proof="fresh")).to_be_confirmed
    assert not resumed(
        opening(), OPENED, Completing(), replace(FOUND, proof="reply")
    ).to_be_confirmed


def test_an_adopted_upload_knows_the_read_sets_that_were_there_before() -> None:
    state = resumed(options=UploadOptions(force=True, now=NOW))
    old = record("ACTIVE", 10)
    surveyed(state, old, uploads=(candidate(parts=ALL[:1]),))
    declared(state)
    state.receive(PartsListed(ALL))
    for part in PARTS:
        state.receive(sent(part, "checked"))
    looked_in_vain(state, old, uploads=(OURS,))
    assert declared(state) == Completing()
    state.receive(CompleteLost())
    looked_in_vain(state, old)
    assert isinstance(declared(state), Opened)  # the old one is not taken


@pytest.mark.parametrize(("sizes", "proven"), [((10,), True), ((11,), False), ((), False)])
def test_a_read_set_found_after_a_lost_complete_is_proven_ours_by_its_sizes(
    sizes: tuple[int, ...], proven: bool
) -> None:
    state = all_there()
    surveyed(state, uploads=(OURS,))
    declared(state)
    state.receive(CompleteLost())
    surveyed(state, record("PROCESSING_UPLOAD"))
    declared(state)
    state.receive(StatusSeen(record("ACTIVE", *sizes)))
    assert isinstance(state.next(), Done)
    parts = comparisons_of(state)[0]
    assert parts.outcome == "equal"
    assert judge("ACTIVE", [parts]).proven == proven
    assert ("reply to Complete was lost" in parts.sentence) != proven


def test_a_listing_that_lost_parts_has_them_sent_again() -> None:
    state = resumed(opening(), OPENED)
    send_all(state)
    surveyed(state, uploads=(OURS,))
    declared(state)
    state.receive(CompleteLost())
    looked_in_vain(state, uploads=(OURS,))
    declared(state)
    state.receive(PartsListed((listed(PARTS[0]),)))
    assert state.next() == SendParts("1000000001")
    assert listed_in_vain(state, listed(PARTS[0])) == 75
    assert state.ledger.take() == SendPart(PARTS[1])


def test_somebodys_read_set_that_failed_does_not_block_an_upload() -> None:
    state = resumed()
    surveyed(state, record("PROCESSING_UPLOAD"))
    declared(state)
    assert state.unproven
    state.receive(StatusSeen(record("UPLOAD_FAILED")))
    assert isinstance(state.next(), Survey)


def test_a_read_set_that_failed_before_is_not_what_comes_of_a_later_upload() -> None:
    state = resumed()
    surveyed(state, record("PROCESSING_UPLOAD"))
    declared(state)
    state.receive(StatusSeen(record("UPLOAD_FAILED")))
    surveyed(state)  # an old listing, which lacks it
    assert isinstance(declared(state), Opening)
    state.receive(OPENED)
    state.receive(UploadGone())
    assert looked_in_vain(state, record("UPLOAD_FAILED")) >= 60
    assert isinstance(declared(state), Opened)  # the upload itself is asked once more


# --- the table --------------------------------------------------------------------------------


def test_every_phase_is_in_the_table() -> None:
    assert set(TRANSITIONS) == set(Phase)


@pytest.mark.parametrize("phase", list(Phase))
def test_a_fact_that_cannot_happen_is_refused(phase: Phase) -> None:
    events: list[Event] = [
        NOTHING,
        opening(),
        OPENED,
        PartsListed(()),
        sent(PARTS[0]),
        Completing(),
        CreateUnclear(token_used=False),
        CompleteLost(),
        Completed(read_set_id="9"),
        StatusSeen(record("ACTIVE", 10)),
        UploadGone(),
        REFUSED,
        ReadSetGone(),
        NothingCame(),
        Disowned("1000000001"),
        ours_in("MD5up"),
    ]
    for event in events:
        state = upload(10)
        state.phase = phase
        if type(event) in TRANSITIONS[phase]:
            state.receive(event)
            assert state.phase in TRANSITIONS[phase][type(event)]
        else:
            with pytest.raises(ValueError, match="can't happen"):
                state.receive(event)
            assert state.phase is phase


def test_a_failed_read_set_ends_there() -> None:
    state = upload(10)
    state.phase = Phase.PROCESSING
    state.receive(StatusSeen(record("UPLOAD_FAILED")))
    assert state.next() == Done()
    assert state.phase is Phase.FAILED


def test_a_status_that_nobody_knows_yet_is_waited_out() -> None:
    state = upload(10)
    state.phase = Phase.PROCESSING
    state.receive(StatusSeen(record("VALIDATING")))
    assert state.phase is Phase.PROCESSING
