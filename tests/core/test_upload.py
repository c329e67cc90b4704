"""One upload's state, driven without anything around it."""

from __future__ import annotations

from dataclasses import replace
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
from turboupload.core.actions import (
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
from turboupload.core.events import (
    Candidate,
    Completed,
    CompleteLost,
    Completing,
    Event,
    Opened,
    Opening,
    PartSeen,
    PartsListed,
    StatusSeen,
    Surveyed,
    UploadGone,
)
from turboupload.core.evidence import comparisons_of
from turboupload.core.identity import client_token
from turboupload.core.model import FileType, ListedPart, OpenUpload, Part, Phase, ReadSetRecord
from turboupload.core.parts import PAUSES_S, CheckPart, ListAgain, SendPart
from turboupload.core.receipt import judge
from turboupload.core.upload import TRANSITIONS, Upload, UploadOptions
from turboupload.errors import IntegrityError, ServiceRefused, Stopped

NOTHING = Surveyed((), ())
NOW = 1_700_000_000.0


def sent(part: Part, origin: str = "sent") -> PartSeen:
    return PartSeen(part=part, digest=digest(part), checksum=checksum(part), origin=origin)  # type: ignore[arg-type] # the test's own literals


def candidate(
    upload_id: str = "1000000001",
    parts: tuple[ListedPart, ...] = (),
    probe: str = "equal",
    part_size: int | None = 4,
) -> Candidate:
    about = OpenUpload(
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
        self.open: dict[str, dict[tuple[object, int], ListedPart]] = {}
        self.read_sets: list[ReadSetRecord] = []
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
            case MoveParts(upload_id):
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
                self.read_sets.append(made)
                return [Completed(read_set_id=made.read_set_id)]
            case Follow(read_set_id):
                for each in self.read_sets:
                    if each.read_set_id == read_set_id:
                        return [StatusSeen(each)]
                return [UploadGone()]
            case Prove():
                raise AssertionError("nobody asked for a proof")
            case Done():
                return []


JOURNALLED = (Opening, Opened, PartSeen, Completing, Completed, StatusSeen, UploadGone)


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
        identities=(source().identity,),
        known_read_sets=known,
        started=NOW,
    )


OPENED = Opened(upload_id="1000000001", adopted=False, part_size=4)
PARTS = list(plan(10).parts())


def test_create_is_called_again_with_the_same_token_when_its_reply_was_lost() -> None:
    assert resumed(opening()).next() == Create("t")


def test_an_open_upload_is_asked_for_its_parts_and_only_the_missing_are_sent() -> None:
    state = resumed(opening(), OPENED, sent(PARTS[0], "journal"), sent(PARTS[1], "journal"))
    assert state.next() == ListParts("1000000001")
    state.receive(PartsListed((listed(PARTS[0]),)))
    assert state.next() == MoveParts("1000000001")
    assert state.ledger.take() == SendPart(PARTS[2])
    assert state.ledger.take() is None
    state.receive(sent(PARTS[2]))
    # The journal has part 2 as sent, perhaps a moment ago: the listing may lag.
    assert state.ledger.take() == ListAgain()
    for pause in PAUSES_S:
        state.receive(PartsListed((listed(PARTS[0]), listed(PARTS[2]))))
        assert state.ledger.take() == ListAgain(pause)
    state.receive(PartsListed((listed(PARTS[0]), listed(PARTS[2]))))
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
    others = replace(source().identity, mtime_ns=2)
    gone_on_with = Opened(upload_id="1000000001", adopted=True, part_size=4, identities=(others,))
    back = replace(gone_on_with, identities=(source().identity,))
    state = resumed(opening(), OPENED, sent(PARTS[0], "journal"), gone_on_with, back)
    # The other file's bytes may be there by now, and a listing without checksums can't tell.
    state.receive(PartsListed((replace(listed(PARTS[0]), checksum=None),)))
    assert state.ledger.take() == SendPart(PARTS[0])


def test_an_upload_that_is_gone_leads_to_a_new_attempt_with_another_token() -> None:
    state = resumed(opening(), OPENED)
    state.receive(UploadGone())
    assert state.next() == Survey()
    state.receive(NOTHING)
    action = state.next()
    assert isinstance(action, Declare)
    assert isinstance(action.event, Opening)
    assert action.event.attempt == 1
    assert action.event.token != "t"


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
    assert state.next() == Survey()
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
    there = record("ACTIVE", 10)
    state = resumed(options=UploadOptions(upload_id="1000000001", now=NOW))
    state.receive(Surveyed((candidate(),), (there,)))
    action = state.next()
    assert isinstance(action, Declare)
    assert isinstance(action.event, Completed)
    assert action.event.read_set_id == there.read_set_id


def test_a_told_upload_passes_over_the_journals_own() -> None:
    told = UploadOptions(upload_id="1000000009", now=NOW)
    assert resumed(opening(), OPENED, options=told).next() == Survey()
    same = UploadOptions(upload_id="1000000001", now=NOW)
    assert resumed(opening(), OPENED, options=same).next() == ListParts("1000000001")


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


def test_a_read_set_of_our_sizes_is_taken_as_ours() -> None:
    state = resumed()
    state.receive(Surveyed((), (record("ACTIVE", 10),)))
    action = state.next()
    assert action == Declare(Completed(read_set_id="9000000001", adopted=True, proof="size"))


def test_a_read_set_of_other_sizes_is_in_the_way() -> None:
    state = resumed()
    state.receive(Surveyed((), (record("ACTIVE", 11),)))
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
    assert state.next() == Follow("9000000001")
    state.receive(StatusSeen(record("ACTIVE", 11)))
    with pytest.raises(ServiceRefused, match="nothing here proves"):
        state.next()
    other = resumed()
    other.receive(Surveyed((), (record("PROCESSING_UPLOAD"),)))
    other.receive(action.event)
    other.receive(StatusSeen(record("ACTIVE", 10)))
    assert other.next() == Done()


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


def test_force_goes_on_with_a_forced_upload_that_was_interrupted() -> None:
    state = resumed(opening(attempt=5), OPENED, options=UploadOptions(force=True, now=NOW))
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
    assert state.next() == Follow("9000000001")
    state.receive(StatusSeen(record("ACTIVE", 10)))
    assert state.next() == Done()
    assert state.verified == "sha256"


def test_a_read_set_that_was_deleted_meanwhile_is_made_anew() -> None:
    state = resumed(opening(), OPENED, Completing(), Completed(read_set_id="9000000001"))
    state.receive(UploadGone())
    assert state.next() == Survey()


# --- the lost reply to Complete ---------------------------------------------------------------


def completing(known: tuple[str, ...] = ()) -> Upload:
    return resumed(
        opening(known=known), OPENED, *[sent(part, "journal") for part in PARTS], Completing()
    )


def test_it_is_settled_by_looking_first() -> None:
    assert completing().next() == Survey()


def test_the_one_new_read_set_is_ours() -> None:
    state = completing(known=("9000000007",))
    state.receive(
        Surveyed((), (record("ACTIVE", 10, read_set_id="9000000007"), record("PROCESSING_UPLOAD")))
    )
    assert state.next() == Declare(
        Completed(read_set_id="9000000001", adopted=True, proof="journal")
    )


def test_an_upload_that_is_still_open_is_completed_again() -> None:
    state = completing()
    state.receive(Surveyed((candidate(),), ()))
    action = state.next()
    assert isinstance(action, Declare)
    state.receive(action.event)
    assert state.phase is Phase.OPEN
    assert state.next() == ListParts("1000000001")
    state.receive(PartsListed(tuple(listed(part) for part in PARTS)))
    assert state.next() == Declare(Completing())
    state.receive(Completing())
    assert isinstance(state.next(), Complete)


def test_another_read_set_of_our_name_is_not_taken_while_our_upload_is_open() -> None:
    state = completing()
    state.receive(Surveyed((candidate(),), (record("PROCESSING_UPLOAD"),)))
    action = state.next()
    assert isinstance(action, Declare)
    assert isinstance(action.event, Opened)
    state.receive(action.event)
    state.receive(PartsListed(tuple(listed(part) for part in PARTS)))
    assert state.next() == Declare(Completing())


def test_an_upload_that_is_only_still_listed_is_found_to_be_gone_and_its_read_set_taken() -> None:
    state = completing()
    there = Surveyed((candidate(),), (record("PROCESSING_UPLOAD"),))
    state.receive(there)
    action = state.next()
    assert isinstance(action, Declare)
    state.receive(action.event)
    assert state.next() == ListParts("1000000001")
    state.receive(UploadGone())
    assert isinstance(state.next(), Survey)
    state.receive(there)
    assert state.next() == Declare(
        Completed(read_set_id="9000000001", adopted=True, proof="journal")
    )


def test_a_touched_file_does_not_hide_the_read_set_that_its_lost_complete_made() -> None:
    state = resumed(
        opening(), OPENED, *[sent(part, "journal") for part in PARTS], Completing(), mtime_ns=2
    )
    there = Surveyed((candidate(),), (record("PROCESSING_UPLOAD"),))
    state.receive(there)
    for _ in range(2):  # still open by the list; then: these are other files, perhaps
        action = state.next()
        assert isinstance(action, Declare)
        assert isinstance(action.event, Opened)
        assert action.event.known_read_sets == ()
        state.receive(action.event)
    assert state.next() == ListParts("1000000001")
    state.receive(UploadGone())
    assert state.phase is Phase.COMPLETING
    assert isinstance(state.next(), Survey)
    state.receive(there)
    assert state.next() == Declare(
        Completed(read_set_id="9000000001", adopted=True, proof="journal")
    )


def test_an_upload_that_complete_says_is_gone_is_not_taken_for_open() -> None:
    state = completing()
    state.receive(CompleteLost(gone=True))
    assert isinstance(state.next(), Survey)
    state.receive(Surveyed((candidate(),), (record("PROCESSING_UPLOAD"),)))
    assert state.next() == Declare(
        Completed(read_set_id="9000000001", adopted=True, proof="journal")
    )


def test_a_new_read_set_of_other_metadata_is_not_taken() -> None:
    state = completing()
    for _ in range(5):
        assert isinstance(state.next(), Survey)
        state.receive(Surveyed((), (replace(record("ACTIVE", 10), description="another"),)))
    with pytest.raises(Stopped, match="reply to Complete was lost"):
        state.next()


@pytest.mark.parametrize(
    "change",
    [
        {"description": "another"},
        {"generated_from": "another"},
        {"reference_arn": "arn:another"},
        {"file_type": "BAM"},
        {"creation_type": "IMPORT"},
    ],
)
def test_a_read_set_of_our_name_with_other_metadata_is_in_the_way(change: dict[str, Any]) -> None:
    state = resumed()
    state.receive(Surveyed((), (replace(record("ACTIVE", 10), **change),)))
    with pytest.raises(ServiceRefused, match="nothing here proves"):
        state.next()


def test_a_new_read_set_of_other_sizes_is_not_taken() -> None:
    state = completing()
    for _ in range(5):
        assert isinstance(state.next(), Survey)
        state.receive(Surveyed((), (record("ACTIVE", 11),)))
    with pytest.raises(Stopped, match="reply to Complete was lost"):
        state.next()


def test_an_adopted_upload_knows_the_read_sets_that_were_there_before() -> None:
    state = resumed(options=UploadOptions(force=True, now=NOW))
    old = record("ACTIVE", 10)
    state.receive(Surveyed((candidate(parts=(listed(PARTS[0]),)),), (old,)))
    action = state.next()
    assert isinstance(action, Declare)
    state.receive(action.event)
    state.receive(PartsListed(tuple(listed(part) for part in PARTS)))
    for part in PARTS:
        state.receive(sent(part, "checked"))
    state.receive(Completing())
    state.receive(CompleteLost())
    for _ in range(5):
        assert isinstance(state.next(), Survey)
        state.receive(Surveyed((), (old,)))
    with pytest.raises(Stopped, match="shows no read set") as caught:
        state.next()  # the old one is not taken, and force makes no second one in one run
    assert "uploads anew" in str(caught.value.hint)


@pytest.mark.parametrize(("sizes", "proven"), [((10,), True), ((11,), False), ((), False)])
def test_a_read_set_found_after_a_lost_complete_is_proven_ours_by_its_sizes(
    sizes: tuple[int, ...], proven: bool
) -> None:
    state = resumed(opening(), OPENED, *[sent(part, "journal") for part in PARTS])
    state.receive(PartsListed(tuple(listed(part) for part in PARTS)))
    state.receive(Completing())
    state.receive(CompleteLost())
    state.receive(Surveyed((), (record("PROCESSING_UPLOAD"),)))
    action = state.next()
    assert isinstance(action, Declare)
    state.receive(action.event)
    state.receive(StatusSeen(record("ACTIVE", *sizes)))
    assert isinstance(state.next(), Done)
    parts = comparisons_of(state)[0]
    assert parts.outcome == "equal"
    assert judge("ACTIVE", [parts]).proven == proven
    assert ("reply to Complete was lost" in parts.sentence) != proven


def test_force_leaves_an_ambiguous_end_behind() -> None:
    done: list[Event] = [
        opening(),
        OPENED,
        *[sent(part, "journal") for part in PARTS],
        Completing(),
    ]
    state = resumed(*done, options=UploadOptions(force=True, now=NOW))
    for _ in range(5):
        assert isinstance(state.next(), Survey)
        state.receive(NOTHING)
    assert isinstance(state.next(), Survey)
    state.receive(NOTHING)
    action = state.next()
    assert isinstance(action, Declare)
    assert isinstance(action.event, Opening)


def test_a_listing_that_lost_parts_has_them_sent_again() -> None:
    state = resumed(opening(), OPENED)
    state.receive(PartsListed(()))
    while isinstance(work := state.ledger.take(), SendPart):
        state.receive(sent(work.part))
    assert work == ListAgain()
    state.receive(PartsListed(tuple(listed(part) for part in PARTS)))
    state.receive(Completing())
    state.receive(CompleteLost())
    state.receive(Surveyed((candidate(),), ()))
    action = state.next()
    assert isinstance(action, Declare)
    state.receive(action.event)
    for _ in range(1 + len(PAUSES_S)):
        state.receive(PartsListed((listed(PARTS[0]),)))
    assert state.next() == MoveParts("1000000001")
    assert state.ledger.take() == SendPart(PARTS[1])


def test_somebodys_read_set_that_failed_is_in_nobodys_way() -> None:
    state = resumed()
    state.receive(Surveyed((), (record("PROCESSING_UPLOAD"),)))
    action = state.next()
    assert isinstance(action, Declare)
    state.receive(action.event)
    assert state.unproven
    state.receive(StatusSeen(record("UPLOAD_FAILED")))
    assert state.next() == Survey()


def test_with_neither_it_looks_again_and_then_says_that_it_is_ambiguous() -> None:
    state = completing()
    pauses = []
    for _ in range(5):
        action = state.next()
        assert isinstance(action, Survey)
        pauses.append(action.after_s)
        state.receive(NOTHING)
    assert pauses == sorted(pauses)
    with pytest.raises(Stopped, match="reply to Complete was lost"):
        state.next()


def test_two_new_read_sets_are_ambiguous() -> None:
    state = completing()
    state.receive(
        Surveyed((), (record("ACTIVE", 10), record("ACTIVE", 10, read_set_id="9000000002")))
    )
    with pytest.raises(Stopped, match="9000000001, 9000000002"):
        state.next()


def test_a_reply_lost_just_now_is_settled_the_same_way() -> None:
    state = upload(3)
    state.replay([])
    service, journal = Service(), list[Event]()
    while not isinstance(state.next(), Complete):
        drive(state, service, journal, 1)
    state.receive(CompleteLost())
    assert state.next() == Survey()


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
        CompleteLost(),
        Completed(read_set_id="9"),
        StatusSeen(record("ACTIVE", 10)),
        UploadGone(),
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
