"""Create, and what it leaves open."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.core.upload.states import (
    ALL,
    EDITED,
    NOW,
    OPENED,
    OURS,
    PARTS,
    begun_anew,
    candidate,
    declared,
    looked_in_vain,
    opening,
    resumed,
    send_all,
    sent,
    surveyed,
)
from tests.support.values import record, upload
from turboupload.core.upload.actions import Create, Declare, ListParts, SendParts, Survey
from turboupload.core.upload.events import (
    Completed,
    Completing,
    CreateUnclear,
    Disowned,
    Event,
    NothingCame,
    Opened,
    Opening,
    PartsListed,
    Surveyed,
    UploadGone,
)
from turboupload.core.upload.parts.work import SendPart
from turboupload.core.upload.state import Upload, UploadOptions
from turboupload.errors import Stopped

EMPTY = candidate("1000000003", probe="unknown", part_size=None)


def test_a_create_that_is_not_answered_is_looked_for_and_made_again() -> None:
    state = resumed(opening())
    state.receive(CreateUnclear(token_used=False))
    surveyed(state)
    assert state.next() == Create("t")
    state.receive(CreateUnclear(token_used=False))
    surveyed(state, uploads=(candidate("1000000003", ALL),))
    opened = declared(state)
    assert isinstance(opened, Opened)
    assert opened.upload_id == "1000000003"


@pytest.mark.parametrize("token_used", [False, True])
def test_an_upload_without_parts_is_taken_for_it_when_parts_would_be_listed(
    token_used: bool,
) -> None:
    """Until then it may be one that another host has just opened, for other files."""
    state = resumed(opening())
    state.receive(CreateUnclear(token_used=token_used))
    assert looked_in_vain(state, uploads=(EMPTY,)) >= 60
    opened = declared(state)
    assert isinstance(opened, Opened)
    assert opened.upload_id == "1000000003"


def test_one_with_a_part_of_our_files_comes_before_one_without() -> None:
    state = resumed(opening())
    state.receive(CreateUnclear(token_used=True))
    surveyed(state, uploads=(EMPTY, candidate("1000000004", ALL[:1])))
    opened = declared(state)
    assert isinstance(opened, Opened)
    assert opened.upload_id == "1000000004"


def test_a_read_set_that_came_meanwhile_may_be_that_of_the_upload_that_is_found() -> None:
    state = resumed(opening())
    state.receive(CreateUnclear(token_used=False))
    surveyed(state, record("PROCESSING_UPLOAD"), uploads=(candidate("1000000003", ALL),))
    opened = declared(state)
    assert isinstance(opened, Opened)
    assert "9000000001" not in opened.known_read_sets


def test_it_may_have_been_listed_before_it_had_a_part() -> None:
    """The token may be forgotten by now, and have made another host's upload since."""
    attempt = replace(opening(), known_uploads=(("1000000003", 0),))
    state = resumed(attempt)
    state.receive(CreateUnclear(token_used=True))
    surveyed(state, uploads=(candidate("1000000003", ALL), candidate("1000000004", ALL)))
    opened = declared(state)
    assert isinstance(opened, Opened)
    assert opened.upload_id == "1000000003"


def test_nor_may_it_be_one_that_is_listed_while_its_read_set_is_processed() -> None:
    """A forced run knows that read set; Complete of its upload would be refused."""
    attempt = replace(
        opening(), known_uploads=(("1000000003", 30),), known_read_sets=("9000000001",)
    )
    state = resumed(attempt, options=UploadOptions(force=True, now=NOW))
    state.receive(CreateUnclear(token_used=False))
    surveyed(state, record("PROCESSING_UPLOAD"), uploads=(candidate("1000000003", ALL),))
    assert state.next() == Create("t")


@pytest.mark.parametrize("theirs", [True, False])
def test_a_token_that_is_refused_leads_to_the_upload_that_it_made(theirs: bool) -> None:
    """Or to a new one; somebody has these files, too, and Complete waits for what comes of it."""
    state = resumed(opening())
    state.receive(CreateUnclear(token_used=True))
    there = candidate("1000000003", ALL)
    if theirs:
        surveyed(state)
        surveyed(state, uploads=(there,))
        opened = declared(state)
        assert isinstance(opened, Opened)
        assert opened.upload_id == "1000000003"
    else:
        looked_in_vain(state)
        begun_anew(state)
        state.receive(replace(OPENED, upload_id="1000000003"))
    send_all(state)
    assert looked_in_vain(state, uploads=(there,)) >= 60
    assert declared(state) == Completing()


@pytest.mark.parametrize("resume", [True, False])
def test_also_to_one_that_another_host_had_left_without_parts(resume: bool) -> None:
    """It was listed before, and only the token tells whose it is; so this is the last way."""
    attempt = replace(opening(), known_uploads=(("1000000003", 0),))
    state = upload(10, options=UploadOptions(resume=resume, now=NOW))
    state.replay([])
    state.receive(attempt)
    state.receive(CreateUnclear(token_used=True))
    assert looked_in_vain(state, uploads=(EMPTY,)) >= 60
    if resume:
        opened = declared(state)
        assert isinstance(opened, Opened)
        assert opened.upload_id == "1000000003"
    else:
        assert declared(state) == NothingCame()


def test_where_that_is_of_other_files_the_read_set_is_waited_for_all_the_same() -> None:
    """What the token made may be completed already, while no listing shows its read set."""
    others = candidate("1000000003", (ALL[0], EDITED))
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


@pytest.mark.parametrize(
    ("journal", "waits"),
    [
        ([opening(), replace(OPENED, adopted=True, identities=opening().identities)], True),
        ([opening(), replace(OPENED, upload_id="1000000003"), opening(attempt=1), OPENED], True),
        ([opening(), OPENED], False),
        ([opening(), opening(attempt=1), OPENED], False),
    ],
)
def test_the_next_run_waits_too_where_the_token_was_used_or_its_upload_was_left(
    journal: list[Event], waits: bool
) -> None:
    """It isn't recorded why, but what is recorded comes only of that."""
    state = resumed(*journal, *[sent(part, "journal") for part in PARTS[:-1]])
    assert state.next() == ListParts("1000000001")
    state.receive(PartsListed(ALL[:-1]))
    assert state.ledger.take() == SendPart(PARTS[-1])
    state.receive(sent(PARTS[-1]))
    state.receive(PartsListed(ALL))
    others = candidate("1000000003", (ALL[0], EDITED))
    waited = looked_in_vain(state, uploads=(OURS, others))
    assert waited >= 60 if waits else waited == 0
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
