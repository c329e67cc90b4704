"""What came of a Complete whose reply was lost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.core.upload.states import (
    ALL,
    ETAG,
    NOW,
    OPENED,
    OURS,
    PARTS,
    all_there,
    begun_anew,
    candidate,
    declared,
    listed_in_vain,
    looked_in_vain,
    opening,
    ours_in,
    resumed,
    send_all,
    sent,
    surveyed,
)
from tests.support.values import listed, record, upload
from turboupload.core.model import FileType, Phase
from turboupload.core.proof.evidence import comparisons_of
from turboupload.core.proof.receipt import judge
from turboupload.core.upload.actions import (
    Complete,
    Declare,
    Done,
    ListParts,
    Prove,
    SendParts,
    Survey,
)
from turboupload.core.upload.events import (
    Completed,
    CompleteLost,
    Completing,
    Event,
    Opened,
    Opening,
    PartsListed,
    StatusSeen,
    Surveyed,
    UploadGone,
)
from turboupload.core.upload.parts.work import SendPart
from turboupload.core.upload.state import Upload, UploadOptions
from turboupload.errors import ServiceRefused, Stopped


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


def shown_late(state: Upload) -> Surveyed:
    """Our upload, and a read set that the journal knows as another upload's."""
    late = record("PROCESSING_UPLOAD")
    return Surveyed((OURS,), (late,), made_otherwise=frozenset({late.read_set_id}))


def test_a_read_set_of_another_upload_of_this_journal_is_not_its_result() -> None:
    state = completing()
    surveyed(state, uploads=(OURS,))
    waited = 0.0
    while isinstance(action := state.next(), Survey):
        waited += action.after_s
        state.receive(shown_late(state))
    assert waited >= 60
    assert isinstance(declared(state), Opened)
    state.receive(PartsListed(ALL))
    assert isinstance(state.next(), Survey)
    state.receive(shown_late(state))
    # It blocks this one, as it would if it had been listed when the upload was planned.
    assert declared(state) == Completed(read_set_id="9000000001", adopted=True, proof="none")


@pytest.mark.parametrize("called", [True, False])
def test_and_does_not_block_another_one_that_is_asked_for(called: bool) -> None:
    options = UploadOptions(now=NOW, force=True)
    state = completing(options=options) if called else all_there(options=options)
    while not isinstance(state.next(), Complete):
        if isinstance(state.next(), Survey):
            state.receive(shown_late(state))
        elif isinstance(state.next(), ListParts):
            state.receive(PartsListed(ALL))
        else:
            assert not isinstance(declared(state), Completed)


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


def test_the_refused_upload_is_not_waited_for_a_second_time_beside_the_new_one() -> None:
    state = completing(options=UploadOptions(now=NOW, resume=False))
    refused = candidate(parts=ALL)
    assert looked_in_vain(state, uploads=(refused,)) >= 300
    begun_anew(state, refused)
    state.receive(Opened(upload_id="1000000002", adopted=False, part_size=4))
    send_all(state)
    new = candidate("1000000002", ALL)
    # Only as long as a listing may lag.
    assert 60 <= looked_in_vain(state, uploads=(refused, new)) <= 120
    assert declared(state) == Completing()


def test_a_touched_file_does_not_hide_the_read_set_that_its_lost_complete_made() -> None:
    state = completing(mtime_ns=2)
    surveyed(state, record("PROCESSING_UPLOAD"), uploads=(OURS,))
    assert declared(state) == Completed(read_set_id="9000000001", adopted=True, proof="fresh")


@pytest.mark.parametrize("file_type", ["FASTQ", "BAM"])
def test_a_read_set_that_failed_is_not_taken_while_ours_may_not_be_listed_yet(
    file_type: str,
) -> None:
    failed = replace(record("UPLOAD_FAILED", 10), file_type=file_type)
    other = replace(record("ACTIVE", read_set_id="9000000002"), file_type=file_type)
    state = completing(file_type=file_type)
    surveyed(state, failed)
    assert isinstance(state.next(), Survey)
    surveyed(state, failed, other)
    # Either may be ours; one that exists blocks the upload.
    assert declared(state) == Completed(read_set_id="9000000002", adopted=True, proof="none")


@pytest.mark.parametrize("file_type", ["FASTQ", "BAM"])
def test_a_read_set_that_had_failed_before_complete_is_not_its_result(file_type: str) -> None:
    """Nor does it make two of the one that is, also after a kill."""
    failed = replace(record("UPLOAD_FAILED", 10), file_type=file_type)
    ours = replace(record("PROCESSING_UPLOAD", read_set_id="9000000002"), file_type=file_type)
    state = all_there(file_type=file_type)
    surveyed(state, failed, uploads=(OURS,))
    met = declared(state)
    assert met == replace(OPENED, known_read_sets=("9000000001",))
    state.receive(PartsListed(ALL))
    surveyed(state, failed, uploads=(OURS,))
    assert declared(state) == Completing()
    parts = [sent(part, "journal") for part in PARTS]
    journal: list[Event] = [opening(), OPENED, *parts, met, Completing()]
    again = upload(10, file_type=FileType(file_type))
    again.replay(journal)
    state.receive(CompleteLost())
    for each in (state, again):
        surveyed(each, failed, ours)
        found = declared(each)
        assert found == Completed(read_set_id="9000000002", adopted=True, proof="journal")


def test_a_read_set_that_failed_is_the_result_where_no_other_comes() -> None:
    state = completing()
    failed = record("UPLOAD_FAILED", 10)
    assert looked_in_vain(state, failed) >= 60
    assert declared(state) == Completed(read_set_id="9000000001", adopted=True, proof="journal")


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
