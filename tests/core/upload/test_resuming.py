"""What a run goes on with: what the journal and the list of open uploads say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.core.upload.states import (
    ETAG,
    NOW,
    OPENED,
    OURS,
    PARTS,
    REFUSED,
    begun_anew,
    candidate,
    declared,
    listed_in_vain,
    looked_in_vain,
    opening,
    ours_in,
    resumed,
    sent,
    surveyed,
)
from tests.support.values import listed, record, source
from turboupload.core.upload.actions import Create, Declare, ListParts, Prove, SendParts, Survey
from turboupload.core.upload.events import (
    Completed,
    Completing,
    NothingCame,
    Opened,
    Opening,
    PartsListed,
    Surveyed,
    UploadGone,
)
from turboupload.core.upload.parts.work import CheckPart, SendPart
from turboupload.core.upload.state import UploadOptions
from turboupload.errors import IntegrityError, ServiceRefused


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
